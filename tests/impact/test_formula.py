"""Covariates named by a formula: the same numbers as by hand, and mistakes told in one line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import tfeval as tf

SIZE = 800
RNG = np.random.default_rng(3)
FRAME = pd.DataFrame({
    "age": RNG.normal(30, 5, SIZE), "income": RNG.uniform(1, 9, SIZE),
    "region": RNG.choice(["north", "east", "west"], SIZE), "own": RNG.random(SIZE) < 0.5,
})  # fmt: skip
FRAME["on"] = (RNG.random(SIZE) < 1 / (1 + np.exp(3 - 0.08 * FRAME["age"]))).astype(int)
FRAME["y"] = FRAME["age"] + RNG.normal(size=SIZE)
TEXT = "age + C(region) + age:income"


def test_columns_are_those_worked_by_hand_under_formulaics_names():
    made = tf.study(FRAME, formula=f"on ~ {TEXT} + np.log(income) + own")
    hand = {
        "age": FRAME["age"], "C(region)[T.north]": FRAME["region"] == "north",
        "C(region)[T.west]": FRAME["region"] == "west", "np.log(income)": np.log(FRAME["income"]),
        "own": FRAME["own"], "age:income": FRAME["age"] * FRAME["income"],
    }  # fmt: skip
    assert set(made.covariates.names) == set(hand)
    for name, values in hand.items():
        np.testing.assert_allclose(made.covariates.column(name), values.astype(float), rtol=1e-12)
    assert made.treated_name == "on" and made.n_treated == FRAME["on"].sum()


@pytest.mark.parametrize("text", [TEXT, "age*income + region", "C(region)*age + bs(income, df=4)"])
def test_scores_are_those_of_statsmodels_by_the_same_formula(text):
    theirs = smf.logit(f"on ~ {text}", FRAME).fit(disp=False, maxiter=100)
    ours = tf.fit_propensity(tf.study(FRAME, formula=f"on ~ {text}"))
    np.testing.assert_allclose(ours.score, theirs.predict(FRAME), rtol=1e-6)


def test_a_formula_of_single_columns_is_their_list():
    listed = tf.study(FRAME, covariates=["age", "region", "own"], treated="on")
    named = tf.study(FRAME, covariates="age + region + own", treated="on")
    np.testing.assert_array_equal(named.covariates.matrix, listed.covariates.matrix)
    columns = ["source", "kind", "smd_before", "smd_after", "hidden"]
    of = [tf.match(made).balance().to_frame()[columns] for made in (named, listed)]
    pd.testing.assert_frame_equal(*of)


@pytest.mark.parametrize("more", [{"cluster": "region"}, {"strata": "region"}, {"unit": "id"}])
def test_roles_go_beside_a_formula(more):
    frame = FRAME.assign(id=np.arange(SIZE))
    design = tf.match(tf.study(frame, formula=f"on ~ {TEXT}", **more))
    found = tf.estimate(design, FRAME["y"])
    assert found.to_frame()["estimate"].notna().all()
    held = design.to_frame(covariates=True)
    assert "age:income" in held and held.columns.is_unique


@pytest.mark.parametrize("text", ["~ age + income", " age + income ", "age+income"])
def test_ways_to_write_it(text):
    made = tf.study(FRAME, covariates=text, treated="on")
    assert made.covariates.names == ("age", "income")


def test_a_column_whose_name_has_an_operator_is_that_column():
    frame = FRAME.rename(columns={"age": "age-band", "income": "her income"})
    assert tf.study(frame, covariates="age-band", treated="on").covariates.names == ("age-band",)
    quoted = tf.study(frame, formula="on ~ `age-band` + np.log(`her income`)")
    np.testing.assert_array_equal(quoted.covariates.matrix[:, 0], FRAME["age"])


def test_of_a_file_only_what_the_formula_names_is_read(tmp_path, monkeypatch):
    from tfeval.impact.study import study as module

    asked = []
    read = module.read_columns
    monkeypatch.setattr(module, "read_columns", lambda path, names: asked.extend(names) or
                        read(path, names))  # fmt: skip
    path = tmp_path / "families.parquet"
    FRAME.to_parquet(path)
    made = tf.study(path, formula=f"on ~ {TEXT} + poly(income, 2)")
    assert set(asked) == {"on", "age", "region", "income"}
    own = tf.study(FRAME, formula=f"on ~ {TEXT} + poly(income, 2)")
    np.testing.assert_allclose(made.covariates.matrix, own.covariates.matrix)


def test_levels_of_few_stay_hidden_and_the_reference_is_compared():
    frame = FRAME.assign(region=FRAME["region"].where(FRAME.index > 4, "small isle"))
    found = tf.match(tf.study(frame, formula="on ~ age + C(region)")).balance()
    rows = found.to_frame().set_index("covariate")
    assert rows.loc["C(region)[T.small isle]", "hidden"]
    assert {"region: east", "C(region)[T.north]"} <= set(rows.index)


def test_two_terms_of_one_column_stay_two_covariates():
    made = tf.study(FRAME, formula="on ~ C(own) + own + income + I(income**2)")
    sources = [column.source for column in made.covariates.columns]
    assert len(set(sources)) == len(sources) == 4
    tf.match(made, "coarsened_exact", cutpoints={"income": 3, "I(income ** 2)": 3})


@pytest.fixture(scope="module")
def families():
    return tf.cohort(tf.simulate(families=4000, seed=1).records, phase="one", horizon=12)


def test_a_cohorts_columns_and_nothing_measured_after(families):
    made = tf.study(families, covariates="people + children:people", months=12)
    assert made.covariates.names == ("people", "children:people")
    late = families.columns.query("timing == 'after' and months == 12")["name"].iloc[0]
    for text in (f"people + {late}", f"people + np.log({late} + 1)", f"people + poly({late}, 2)"):
        with pytest.raises(tf.ParameterError, match=f"{late}: measured after the index date"):
            tf.study(families, covariates=text)


SECRET = "Jane Doe"
WRONG = {
    "age +": "cannot be read",
    "on ~ .": "cannot be read",
    "on ~ age | region": "cannot be read",
    "on ~ C(region": "cannot be read",
    "on ~ age ~ income": "cannot be read",
    "on ~ income[": "cannot be read",
    "on ~ age:": "cannot be read",
    "on ~ age - 1": "an intercept always belongs",
    "on ~ 0 + age": "an intercept always belongs",
    "on + age ~ income": "left of ~ stands one column",
    "np.log(on) ~ age": "left of ~ stands one column",
    "on ~ agee + region": "no column agee. Did you mean age?",
    "on ~ bs(agee, df=4)": "no column agee. Did you mean age?",
    "onn ~ age": "no column onn. Did you mean on?",
    "on ~ foo(age)": "foo(age) cannot be worked out",
    "on ~ np.log(region) + age": "np.log(region) cannot be worked out",
    "on ~ np.log(age - 30)": "np.log(age - 30) is no finite number in",
    "on ~ on + age": "it cannot be a covariate too",
    "on ~ 1": "at least one covariate",
    "on ~": "at least one covariate",
    "on ~ age + gone": "gone is missing in fewer than 10 rows, which a formula",
    "on ~ C(lost):age": "lost is missing in 40 rows",
    "on ~ name": "name has 800 levels",
    "on ~ born": "dates",
    "on ~ same + age": "same: the same value in every row",
    "on ~ age + C(tells)": "tells",
    "on ~ age:C(tells)": "age:C(tells)",
}


@pytest.mark.parametrize("formula", WRONG)
def test_a_mistake_is_told_in_one_line_without_a_value(formula):
    frame = FRAME.assign(
        gone=FRAME["age"].where(FRAME.index > 3), lost=FRAME["region"].where(FRAME.index >= 40),
        name=[f"{SECRET} {place}" for place in range(SIZE)], born=pd.Timestamp("2001-02-03"),
        same=1.0, tells=np.where(FRAME["on"] == 1, SECRET, "other"),
    )  # fmt: skip
    with pytest.raises(tf.TfevalError) as caught:
        tf.match(tf.study(frame, formula=formula, treated=None))
    message = str(caught.value)
    assert WRONG[formula] in message
    assert "\n" not in message and SECRET not in message and len(message) < 400
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("roles", "says"),
    [({"formula": "on ~ age", "covariates": ["age"]}, "not by both"),
     ({"formula": "on ~ age", "treated": "own"}, "treated= says other"),
     ({"formula": 3}, "formula is a text"), ({"formulae": "on ~ age"}, "Did you mean formula?")],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(roles, says):
    with pytest.raises(tf.ParameterError, match=says.replace("?", r"\?")):
        tf.study(FRAME, **roles)
