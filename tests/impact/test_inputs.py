"""What goes in: every role takes numbers in any dress, refuses the rest, and aligns one way."""

from __future__ import annotations

import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import tfeval as tf
from tests.impact.mahalanobis import mahalanobis_pairs
from tests.impact.simulated import simulated
from tfeval.errors import DataError, ParameterError, TfevalError
from tfeval.impact.balance.tables import _same_means
from tfeval.impact.design.design import FATES, NOT_ASKED, Design
from tfeval.impact.effects.effects import Effects
from tfeval.impact.matching.coarsened import coarsened_sets
from tfeval.impact.means.methods import check_between
from tfeval.impact.means.outcomes import aligned, populations
from tfeval.impact.propensity.logit import fit_logit
from tfeval.impact.propensity.propensity import fit_propensity
from tfeval.impact.study.blocks import in_order
from tfeval.impact.study.covariates import encoded
from tfeval.impact.study.numbers import kind_of, plain

NAMES = ["x0", "x1", "x2", "x3"]
FEW = settings(max_examples=6, deadline=None, derandomize=True, database=None)


@cache
def people(seed: int = 0, size: int = 300) -> pd.DataFrame:
    frame, _ = simulated(size, seed=seed)
    rng = np.random.default_rng(seed + 100)
    frame["area"] = rng.choice(["east", "north", "west"], size)
    frame["count"] = rng.integers(0, 6, size)
    frame["single"] = rng.random(size) < 0.4
    frame["y"] = frame[NAMES] @ [1.0, -0.5, 0.3, 0.0] + frame["treated"] + rng.normal(size=size)
    frame["z"] = (frame["y"] > 0).astype(int)
    return frame


def of(frame: pd.DataFrame, **roles):
    return tf.study(frame, **{"covariates": NAMES, **roles})


def exact(design: Design, y, **asked) -> np.ndarray:
    found = tf.estimate(design, y, **asked).to_frame()
    return found[["estimate", "mean_treated", "mean_comparison"]].to_numpy(dtype=float)


def one_line(call, *fragments: str) -> str:
    with pytest.raises(TfevalError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    for fragment in fragments:
        assert fragment in message
    return message


# ------------------------------------------------------------------ what is not a number

SIZE = 300
DAYS = pd.date_range("2012-04-01", periods=SIZE)
NOT_NUMBERS = {
    "dates": (DAYS.to_series().reset_index(drop=True), "dates"),
    "dates, some missing": (pd.Series(DAYS).where(np.arange(SIZE) > 5), "dates"),
    "dates of a zone": (pd.Series(DAYS.tz_localize("Europe/London")), "dates"),
    "dates as objects": (pd.Series(DAYS.date), "dates"),
    "dates among numbers": (pd.Series([datetime.date(2012, 1, 1), 1.0] * 150), "dates"),
    "all NaT": (pd.Series([pd.NaT] * SIZE), "dates"),
    "arrow dates": (pd.Series(pd.array(DAYS.date, dtype=pd.ArrowDtype(pa.date32()))), "dates"),
    "arrow times": (pd.Series(pd.array(DAYS, dtype=pd.ArrowDtype(pa.timestamp("us")))), "dates"),
    "durations": (pd.Series(DAYS - DAYS[0]), "durations"),
    "durations as objects": (pd.Series(DAYS - DAYS[0]).astype(object), "durations"),
    "arrow durations": (
        pd.Series(pd.array(DAYS - DAYS[0], dtype=pd.ArrowDtype(pa.duration("us")))), "durations",
    ),
    "NumPy's durations": (pd.Series([np.timedelta64(1, "D"), 2.0] * 150, dtype=object), "duration"),
    "periods": (pd.Series(DAYS.to_period("D")), "periods"),
    "periods as objects": (pd.Series(DAYS.to_period("D")).astype(object), "periods"),
    "intervals": (pd.Series(pd.IntervalIndex.from_breaks(range(SIZE + 1))), "intervals"),
    "complex numbers": (pd.Series(np.arange(SIZE) + 1j), "complex"),
    "complex as objects": (pd.Series([1 + 2j, 3.0] * 150, dtype=object), "complex"),
    "bytes": (pd.Series([b"a", b"b"] * 150), "neither numbers nor text"),
    "lists": (pd.Series([[1], [2]] * 150), "neither numbers nor text"),
    "text and numbers": (pd.Series(["a", 1.0] * 150), "text and numbers"),
    "text and true": (pd.Series(["unknown", True] * 150), "text and numbers"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOT_NUMBERS)
def test_what_is_no_number_is_refused_in_every_role_with_what_to_give(kind):
    series, words = NOT_NUMBERS[kind]
    frame = people().assign(odd=series.to_numpy() if series.dtype == object else series.array)
    calls = {
        "Covariate odd": lambda: of(frame, covariates=["x0", "odd"]),
        "Sampling weight odd": lambda: of(frame, weight="odd"),
        "Treatment odd": lambda: of(frame, treated="odd"),
        "Outcome odd": lambda: aligned(of(frame), frame[["y", "odd"]]),
        "Prognosis odd": lambda: tf.match(of(frame)).balance(prognosis=frame[["odd"]]),
        "distance": lambda: tf.match(of(frame), distance=frame["odd"]),
    }
    for role, call in calls.items():
        message = one_line(call, role, words)
        assert " give " in message or " make " in message
    one_line(lambda: of(frame, covariates=["odd"], fewest=2), "Covariate odd", words)


@pytest.mark.parametrize("role", ["weight", "treated"])
def test_text_is_no_number(role):
    frame = people().assign(odd=people()["treated"].astype(str))
    one_line(lambda: of(frame, **{role: "odd"}), "odd is not a number (object, text)")
    one_line(lambda: aligned(of(frame), frame["odd"]), "Outcome odd is not a number", "0 and 1")


# ------------------------------------------------------------------ numbers in any dress

DRESSES = {
    "decimals": lambda s: s.map(lambda v: Decimal(repr(float(v)))),
    "mixed int and float": lambda s: pd.Series(
        [int(v) if float(v).is_integer() else float(v) for v in s], s.index, dtype=object
    ),
    "NumPy scalars": lambda s: pd.Series([np.float64(v) for v in s], s.index, dtype=object),
    "decimals and floats": lambda s: pd.Series(
        [Decimal(repr(float(v))) if at % 2 else float(v) for at, v in enumerate(s)], s.index
    ),
    "fractions": lambda s: s.map(lambda v: Fraction(float(v))),
    "masked": lambda s: s.astype("Float64"),
    "sparse": lambda s: s.astype(pd.SparseDtype("float64")),
    "arrow doubles": lambda s: s.astype(pd.ArrowDtype(pa.float64())),
    "arrow decimals": lambda s: pd.Series(
        pd.array([Decimal(repr(float(v))) for v in s], pd.ArrowDtype(pa.decimal128(38, 20))),
        s.index,
    ),
}
ROUNDED = people().round(6)


@pytest.mark.parametrize("dress", DRESSES)
def test_numbers_in_any_dress_give_the_same_effects(dress):
    wear, worn = DRESSES[dress], ROUNDED.copy()
    for name in ("x0", "x1", "count", "sw", "treated", "y", "z"):
        worn[name] = wear(ROUNDED[name].astype(float))
    found = []
    for frame in (ROUNDED, worn):
        made = of(frame, covariates=["x0", "x1", "count"], weight="sw")
        assert made.covariates.names == ("x0", "x1", "count")
        design = tf.weight(made)
        # Kept apart, so that each is in the dress of its own.
        found.append(exact(design, frame[["y", "z"]]))
        scores = design.balance(prognosis=frame[["y"]]).to_frame()
        found.append(scores[["smd_before", "smd_after"]].to_numpy(dtype=float))
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[3])


@pytest.mark.parametrize("bools", [
    lambda s: s.astype(bool), lambda s: s.astype(bool).astype(object),
    lambda s: s.astype("boolean"), lambda s: s.astype(pd.ArrowDtype(pa.bool_())),
    lambda s: pd.Series([np.bool_(v) for v in s], dtype=object), lambda s: s.astype("category"),
])  # fmt: skip
def test_true_and_false_are_numbers_in_every_role(bools):
    plain_, worn = people(), people().copy()
    for name in ("treated", "z"):
        worn[name] = bools(plain_[name])
    if worn["z"].dtype != "category":  # a category is one, as a covariate
        worn["single"] = bools(plain_["single"])
    roles = {"covariates": ["x0", "single"]}
    one, other = (exact(tf.match(of(each, **roles)), each["z"]) for each in (plain_, worn))
    np.testing.assert_array_equal(one, other)


def test_missing_numbers_in_a_column_of_objects_are_missing_numbers():
    frame = people().assign(
        x0=[None if at % 7 == 0 else Decimal(int(100 * v)) for at, v in enumerate(people()["x0"])],
        y=[pd.NA if at % 5 == 0 else v for at, v in enumerate(people()["y"])],
    )
    made = of(frame)
    assert "x0: missing" in made.covariates.names
    assert np.isnan(aligned(made, frame["y"]).values).sum() == 60
    one_line(lambda: of(frame, missing="refuse"), "x0 is missing in 43 rows")


def test_numbers_too_large_are_told():
    frame = people().assign(x0=pd.Series([10**400, *range(299)], dtype=object))
    one_line(lambda: of(frame), "Covariate x0 holds numbers too large")


# ------------------------------------------------------------------ frames of pyarrow


def arrow(frame: pd.DataFrame) -> pd.DataFrame:
    return pa.Table.from_pandas(frame).to_pandas(types_mapper=pd.ArrowDtype)


@pytest.mark.parametrize("dictionary", [False, True], ids=["text", "dictionary"])
@pytest.mark.parametrize("holes", [False, True], ids=["whole", "with missing values"])
def test_frames_of_pyarrow_give_the_same_results_in_every_role(holes, dictionary):
    frame = people().copy()
    frame["name"] = [f"unit {at}" for at in frame["id"]]
    frame["phase"] = np.where(frame["count"] > 2, "one", "two")
    if holes:
        for name in ("x0", "area", "y", "single"):
            frame[name] = frame[name].mask(frame.index % 11 == 3)
    worn = arrow(frame)
    if dictionary:
        kind = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))
        worn[["area", "phase", "name"]] = worn[["area", "phase", "name"]].astype(kind)
    roles = {
        "covariates": ["x0", "count", "single", "area"], "cluster": ["phase", "family"],
        "strata": "phase", "weight": "sw", "unit": "name", "family": "family",
    }  # fmt: skip
    found = []
    for each in (frame, worn):
        made = of(each, **roles)
        design = tf.match(made, order="random")
        effects = tf.estimate(design, each[["y", "z"]], by=each["area"], errors="pair")
        folded = tf.weight(made, folds=3)
        balance = design.balance(prognosis=each[["y"]]).to_frame()
        found.append((made, design, effects.to_frame(), folded, balance))
        rare = of(each, **{**roles, "fewest": 20}).left_out
        assert all(name.endswith(": missing") for name in rare)
    (one, first, effects, weights, rows), (other, second, again, reweighed, alike) = found
    assert one.covariates.names == other.covariates.names
    np.testing.assert_array_equal(one.covariates.matrix, other.covariates.matrix)
    assert all((one.clusters[name] == other.clusters[name]).all() for name in one.clusters)
    np.testing.assert_array_equal(first.weights, second.weights)
    np.testing.assert_array_equal(weights.weights, reweighed.weights)
    pd.testing.assert_frame_equal(effects, again)
    pd.testing.assert_frame_equal(rows, alike)


def test_masked_frames_and_chunks_of_pyarrow_too(tmp_path):
    frame = people()
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "people.parquet", row_group_size=70)
    expected = exact(tf.match(of(frame)), frame["y"])
    for backend in ("numpy_nullable", "pyarrow"):
        read = pd.read_parquet(tmp_path / "people.parquet", dtype_backend=backend)
        np.testing.assert_array_equal(exact(tf.match(of(read)), read["y"]), expected)
    chunks = pd.concat([arrow(frame.iloc[:100]), arrow(frame.iloc[100:])])
    np.testing.assert_array_equal(exact(tf.match(of(chunks)), chunks["y"]), expected)


def test_an_arrow_column_of_nothing_is_missing_in_every_row():
    frame = people().assign(x0=pd.array([None] * SIZE, dtype=pd.ArrowDtype(pa.null())))
    one_line(lambda: of(frame), "Covariate x0 is missing in every row")


def test_kinds():
    odd = pd.Series(["a", None], dtype="string[pyarrow]")
    assert kind_of(plain(odd)) == "text"
    assert kind_of(pd.Series([None, None])) == "numbers"
    assert kind_of(pd.Series(["a", "b"], dtype="category")) == "a category"


# ------------------------------------------------------------------ one alignment


def test_a_default_index_is_taken_only_if_it_is_the_studys():
    frame = people()
    kept = frame[frame["count"] > 2]
    anew = kept.reset_index(drop=True)
    design = tf.match(of(anew))
    right = exact(design, anew["y"])
    wrong = {
        "outcomes": lambda: tf.estimate(design, frame["y"]),
        "outcomes in a frame": lambda: tf.estimate(design, frame[["y", "z"]]),
        "outcomes, filtered otherwise": lambda: tf.estimate(
            design, frame["y"].drop(index=[len(anew) + 1])
        ),
        "groups": lambda: tf.estimate(design, anew["y"], by=frame["area"]),
        "prognosis": lambda: design.balance(prognosis=frame[["y"]]),
        "scores": lambda: design.balance(prognosis=frame["y"]),
        "distance": lambda: tf.match(of(anew), distance=frame["x0"]),
    }
    for call in wrong.values():
        one_line(call, "have more rows than the study", "set_index")
    # In another order, the same labels are the same units.
    shuffled = anew.sample(frac=1.0, random_state=1)
    np.testing.assert_array_equal(exact(design, shuffled["y"]), right)
    # Labels that a filter left are the units' own.
    design = tf.match(of(kept))
    np.testing.assert_array_equal(exact(design, frame["y"]), right)
    by = [tf.estimate(design, frame["y"], by=groups["area"], errors="pair").to_frame()
          for groups in (frame, kept)]  # fmt: skip
    pd.testing.assert_frame_equal(*by)
    # So is an index that somebody named, though it begins at 0.
    named = frame.rename_axis("id")
    np.testing.assert_array_equal(
        exact(tf.match(of(named.iloc[:150])), named["y"]),
        exact(tf.match(of(frame.iloc[:150])), frame["y"].iloc[:150]),
    )


def test_a_distance_with_an_index_is_aligned():
    frame = people().set_index("id")
    own = frame["x0"].sample(frac=1.0, random_state=2)
    one, other = (tf.match(of(frame), distance=each) for each in (own, frame["x0"].to_numpy()))
    np.testing.assert_array_equal(one.weights, other.weights)


@given(st.permutations(range(8)), st.sampled_from(["row numbers", "letters", "named", "pairs"]))
@settings(max_examples=60, deadline=None)
def test_alignment_is_by_label(order, kind):
    labels = {
        "row numbers": pd.RangeIndex(8), "letters": pd.Index(list("hgfedcba")),
        "named": pd.RangeIndex(8, name="id"),
        "pairs": pd.MultiIndex.from_product([[1, 2], list("abcd")]),
    }[kind]  # fmt: skip
    rows = pd.Series(np.arange(8.0), index=labels)
    assert in_order(rows.iloc[list(order)], labels, "These").tolist() == rows.tolist()
    few = labels[:5]
    if kind == "row numbers":
        with pytest.raises(DataError, match="more rows than the study"):
            in_order(rows, few, "These")
    else:
        assert in_order(rows.iloc[list(order)], few, "These").tolist() == rows[:5].tolist()
    with pytest.raises(DataError, match="lack fewer than 10"):
        in_order(rows[:5], labels, "These")


# ------------------------------------------------------------------ names


def test_no_name_stands_for_two():
    frame = people()
    design = tf.match(of(frame))
    two = pd.concat([frame["y"], frame["z"].rename("y")], axis=1)
    one_line(lambda: tf.estimate(design, two), "y is named twice")
    one_line(lambda: design.balance(prognosis=two), "y is named twice")
    shown = frame[["y", "z"]].set_axis([1, "1"], axis=1)
    one_line(lambda: tf.estimate(design, shown), "1 is named twice")


def test_a_file_with_two_columns_of_a_name_is_refused(tmp_path):
    columns = [pa.array([1, 0, 1]), pa.array([1.0, 2.0, 3.0]), pa.array([3.0, 2.0, 1.0])]
    pq.write_table(pa.table(columns, names=["treated", "age", "age"]), tmp_path / "a.parquet")
    one_line(
        lambda: tf.study(tmp_path / "a.parquet", covariates=["age"]), "more than one column", "age"
    )


@given(st.lists(st.sampled_from(["x", "x: missing", "x: missing (2)", "x: a", "x: a: b"]),
                min_size=1, unique=True), st.integers(0, 999))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_no_two_columns_of_covariates_have_a_name(names, seed):
    rng = np.random.default_rng(seed)
    columns = {}
    for name in names:
        values = rng.choice(["a", "missing", "a: b", "1"], 40) if rng.random() < 0.5 else (
            rng.normal(size=40))  # fmt: skip
        columns[name] = pd.Series(values).mask(rng.random(40) < 0.2)
    frame = pd.DataFrame(columns)
    found = encoded(frame, names)
    levels = [f"{source}: {text}" for source, text in found.reference.items()]
    assert len({*found.names, *levels}) == found.count + len(levels)
    for name in names:
        if name not in found.reference:
            assert name in found.names


def test_balance_has_a_name_for_each_row():
    frame = people().rename(columns={"x0": "x1 squared", "x2": "propensity score"})
    made = tf.study(frame, covariates=["x1", "x1 squared", "propensity score"])
    rows = tf.match(made).balance(squares=True).to_frame()
    assert rows["covariate"].is_unique
    assert {"x1 squared", "x1 squared (2)", "propensity score (2)"} <= set(rows["covariate"])


def test_the_treatment_is_no_outcome():
    frame = people().rename(columns={"treated": "joined"})
    design = tf.match(of(frame, treated="joined"))
    assert design.study.treated_name == "joined"
    copy = frame["joined"].rename("joined_again")
    for series in (frame["joined"], copy, copy.astype(float).where(frame.index > 20),
                   frame["y"].rename("joined")):  # fmt: skip
        one_line(lambda series=series: tf.estimate(design, series), "is the treatment", series.name)
    near = copy.where(frame.index > 0, 1 - copy)
    assert tf.estimate(design, near, errors="robust").to_frame()["estimate"].iloc[0] > 0.9


# ------------------------------------------------------------------ what errors may not say


def test_errors_and_notes_name_columns_and_no_levels():
    rng = np.random.default_rng(3)
    frame = people().assign(secret=rng.choice(["Kirkby", "Bootle", "Formby"], SIZE))
    frame.loc[frame["treated"] == 1, "secret"] = "Maghull"
    both = of(frame, covariates=["x0", "secret"])
    apart = frame.assign(
        lone=np.where(frame["treated"] == 1, frame["x0"], np.nan), k=frame["secret"] == "Maghull"
    )
    missing = of(apart, covariates=["x1", "lone"])
    twice = of(people().assign(a=people()["area"], b=people()["area"]), covariates=["a", "b", "x0"])
    messages = [
        one_line(lambda: tf.match(both), "secret ("),
        one_line(lambda: tf.weight(both, "entropy"), "secret ("),
        one_line(lambda: tf.match(missing), "lone (where it is missing)"),
        one_line(lambda: tf.match(twice, calipers={"nothing": 1.0}), "Known: a, b, x0"),
        one_line(lambda: tf.match(twice, "mahalanobis", on=["nothing"]), "Known: a, b, x0"),
        *fit_propensity(twice).notes,
    ]
    assert "b (2 of its 3 levels)" in messages[-1]
    for word in ("Kirkby", "Bootle", "Formby", "Maghull", "east", "north", "west"):
        assert not any(word in message for message in messages)


def test_a_fit_that_does_not_converge_names_columns_and_no_levels():
    rng = np.random.default_rng(0)
    size = 400
    place = rng.choice(["Kirkby", "Bootle"], size)
    frame = pd.DataFrame({"place": place, "x": rng.normal(size=size)})
    frame["treated"] = (frame["x"] + 3.0 * (frame["place"] == "Kirkby") > 1.5).astype(int)
    for verb in (tf.match, lambda made: tf.weight(made, "entropy")):
        message = one_line(lambda verb=verb: verb(of(frame, covariates=["x", "place"])))
        assert "Kirkby" not in message and "Bootle" not in message
        assert "place (" in message or "x" in message


# ------------------------------------------------------------------ between 0 and 1


def test_each_outcome_is_held_to_0_and_1_on_its_own_rows():
    frame = people()
    outside = frame["z"].astype(float)
    outside.iloc[0] = 1.5
    both = pd.DataFrame({"z": outside, "other": frame["z"].where(frame.index > 0)})
    one_line(
        lambda: tf.estimate(tf.match(of(frame)), both, outcome_model="logistic"),
        "z: values outside 0 to 1",
    )
    check_between(np.array([[0.0, np.nan], [np.nan, 1.0]]), ["a", "b"])


# ------------------------------------------------------------------ no unit matters


@given(st.lists(st.floats(-12, 12), min_size=4, max_size=4), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_units_of_covariates_change_no_mahalanobis_match(powers, seed):
    rng = np.random.default_rng(seed)
    treated = rng.random(120) < 0.3
    # Whole numbers, of which many are as far apart, and a covariate far from 0.
    x = np.column_stack([
        rng.integers(0, 6, 120), rng.normal(size=120), rng.integers(0, 2, 120),
        2000 + rng.normal(size=120),
    ]).astype(float)  # fmt: skip
    scaled = x * 10.0 ** np.array(powers)
    for columns in ([0, 1, 2, 3], [0, 2]):
        for asked in ({}, {"replace": True, "ratio": 2}, {"closest": True}):
            one, other = (
                mahalanobis_pairs(each[:, columns], treated, **asked) for each in (x, scaled)
            )
            np.testing.assert_array_equal(one, other)


@given(st.lists(st.floats(-12, 12), min_size=4, max_size=4))
@settings(max_examples=15, deadline=None)
def test_units_of_covariates_change_no_design(powers):
    frame = people()
    scaled = frame.assign(
        **{name: frame[name] * 10.0**power for name, power in zip(NAMES, powers, strict=True)}
    )
    calls = [
        lambda made: tf.match(made, "mahalanobis", caliper=None),
        lambda made: tf.match(made, "mahalanobis", caliper=0.5, calipers={"x0": 0.7}),
        lambda made: tf.match(made, calipers={"x1": 0.5}),
        lambda made: tf.match(made, "coarsened_exact", cutpoints=dict.fromkeys(NAMES, 3)),
        tf.weight,
        lambda made: tf.weight(made, "entropy"),
    ]
    for call in calls:
        one, other = (call(of(each)) for each in (frame, scaled))
        np.testing.assert_allclose(one.weights, other.weights, rtol=1e-6, atol=1e-9)
        rows = [design.balance(prognosis=frame[["y"]]).to_frame() for design in (one, other)]
        for name in ("smd_before", "smd_after", "ks_after", "variance_ratio_after"):
            np.testing.assert_allclose(*(each[name] for each in rows), rtol=1e-5, atol=1e-7)


@given(st.integers(-12, 12), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_bins_are_the_same_in_any_unit(power, bins):
    ages = np.tile(np.arange(0.0, 61.0), 4)
    treated = np.arange(len(ages)) % 2
    found = [
        coarsened_sets(
            tf.study(pd.DataFrame({"treated": treated, "age": ages * scale}), covariates="age"),
            {"age": bins},
        )
        for scale in (1.0, 10.0**power)
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("power", [-12, -6, 6, 12])
def test_a_redundant_covariate_moves_nothing_in_any_unit(power):
    frame = people()
    more = frame.assign(again=10.0**power * (frame["x0"] - 2 * frame["x1"] + 3))
    names = ["x0", "x1", "x3"]
    plain_fit = fit_logit(of(frame, covariates=names).covariates, of(frame).treated)
    made = of(more, covariates=[*names, "again"])
    fit = fit_logit(made.covariates, made.treated)
    assert fit.redundant == ("again",)
    # A unit's influence on the linear predictor, through the inverse of the information.
    x = np.column_stack([np.ones(SIZE), made.covariates.matrix])
    without = np.delete(x, 4, axis=1)
    moved = x @ np.linalg.solve(fit.information, x.T)
    expected = without @ np.linalg.solve(plain_fit.information, without.T)
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-8)
    effects = [
        tf.estimate(tf.weight(each), frame["y"], errors="robust").to_frame() for each in
        (of(frame, covariates=names), made)
    ]  # fmt: skip
    for name in ("estimate", "std_error"):
        np.testing.assert_allclose(*(each[name].to_numpy() for each in effects), rtol=1e-5)


@pytest.mark.parametrize("power", [-12, 0, 12])
def test_what_entropy_cannot_balance_is_told_in_any_unit_and_from_any_zero(power):
    # Constant in the comparison group, and so redundant there, but not among the treated.
    frame = people()
    rare = np.where(frame["treated"] == 1, np.where(frame["count"] > 3, 1.0, 0.0), 0.0)
    for zero in (0.0, 1e4):
        made = of(frame.assign(rare=10.0**power * (rare + zero)), covariates=["x0", "rare"])
        one_line(lambda made=made: tf.weight(made, "entropy"), "rare: no weights")


@pytest.mark.parametrize("power", [-12, 0, 12])
def test_the_table_of_balance_shows_moved_means_in_any_unit(power):
    frame = people()[NAMES] * 10.0**power
    frame["treated"] = people()["treated"]
    shown = tf.match(of(frame), caliper=0.02).balance()
    assert not _same_means(shown.to_frame())
    assert "Treated after" in shown.summary().text()
    assert _same_means(tf.weight(of(frame)).balance().to_frame())


# ------------------------------------------------------------------ who weighs nothing

DESIGNS = {
    "nearest": lambda made: tf.match(made, order="random"),
    "with replacement": lambda made: tf.match(made, replace=True, ratio=2),
    "pooled caliper": lambda made: tf.match(made, caliper_spread="pooled", calipers={"x1": 0.5}),
    "for the comparison": lambda made: tf.match(made, estimand="ATC"),
    "common support": lambda made: tf.match(made, support="both"),
    "mahalanobis": lambda made: tf.match(made, "mahalanobis"),
    "optimal": lambda made: tf.match(made, "optimal"),
    "full": lambda made: tf.match(made, "full"),
    "full, all": lambda made: tf.match(made, "full", estimand="ATE"),
    "coarsened": lambda made: tf.match(made, "coarsened_exact", cutpoints=dict.fromkeys(NAMES, 2)),
    "subclass": lambda made: tf.match(made, "subclass", number=4, estimand="ATE"),
    "kernel": lambda made: tf.match(made, "kernel", bandwidth=0.3),
    "radius": lambda made: tf.match(made, "radius", bandwidth=0.3),
    "cross-fitted": lambda made: tf.match(made, folds=3),
    "a classifier": lambda made: tf.match(made, model=LogisticRegression(), folds=2),
    "inverse propensity": tf.weight,
    "trimmed": lambda made: tf.weight(made, trim=0.9, trimmed="exclude", support="both"),
    "stabilised": lambda made: tf.weight(made, estimand="ATE", stabilise=True),
    "weighting, cross-fitted": lambda made: tf.weight(made, folds=3),
    "overlap": lambda made: tf.weight(made, "overlap"),
    "entropy": lambda made: tf.weight(made, "entropy"),
    "entropy, all": lambda made: tf.weight(made, "entropy", estimand="ATE"),
    "within strata": lambda made: tf.weight(made, within="strata"),
    "a fitted score": lambda made: tf.match(made, propensity=fit_propensity(made)),
    "own distances": lambda made: tf.match(
        made, distance=pd.Series(made.covariates.column("x0"), made.index)
    ),
}


def with_strangers(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return people, and among them units of weight 0 unlike anybody; and who counts."""
    rng = np.random.default_rng(seed)
    frame = people(seed, 260).copy()
    frame["gap"] = frame["x3"].where(rng.random(260) > 0.1)
    counted = rng.random(260) > 0.25
    strange = ~counted
    frame.loc[strange, "sw"] = 0.0
    # Some very near to the treated, some far beyond, of a level and stratum of their own.
    frame.loc[strange, NAMES] *= np.where(rng.random(strange.sum()) < 0.5, 1.0, 9.0)[:, None]
    frame.loc[strange & (rng.random(260) < 0.5), "area"] = "abroad"
    frame.loc[strange, "gap"] = 1e3
    frame.loc[strange, "y"] = 1e6
    return frame, counted


UNNAMED = pytest.mark.slow(reason="every design once more, with units told by their row")


@pytest.mark.parametrize("unit", ["id", pytest.param(None, marks=UNNAMED)])
@pytest.mark.parametrize("name", DESIGNS)
def test_who_weighs_nothing_has_no_say(name, unit):
    @given(st.integers(0, 30))
    @FEW
    def check(seed):
        frame, counted = with_strangers(seed)
        fewer = frame[counted]
        roles = {"covariates": [*NAMES, "gap", "area"], "weight": "sw", "unit": unit}
        if name in ("within strata", "nearest", "kernel"):
            roles |= {"strata": "area", "covariates": NAMES}
        if name in ("cross-fitted", "weighting, cross-fitted", "mahalanobis"):
            roles |= {"family": "family"}
        if name == "coarsened":
            roles |= {"covariates": NAMES}
        try:
            alone = DESIGNS[name](of(fewer, **roles))
        except DataError:
            return  # nobody can be compared in this draw
        whole = DESIGNS[name](of(frame, **roles))
        np.testing.assert_allclose(whole.weights[counted], alone.weights, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(whole.fate[counted], alone.fate)
        assert not whole.weights[~counted].any() and (whole.fate[~counted] == NOT_ASKED).all()
        assert not whole.target[~counted].any()
        assert whole.notes == alone.notes and whole.ess == pytest.approx(alone.ess)
        if unit is None:
            return  # the same design; what is estimated from it asks nobody's name
        for method in ("adjusted", "difference", "doubly_robust"):
            effects = [
                tf.estimate(design, each["y"], method=method, errors="robust").to_frame()
                for design, each in ((whole, frame), (alone, fewer))
            ]
            for column in ("estimate", "std_error", "mean_comparison", "n_treated", "n_missing"):
                one, other = (each[column].to_numpy(dtype=float) for each in effects)
                np.testing.assert_allclose(one, other, rtol=1e-7)
        rows = [
            design.balance(prognosis=each[["y"]], squares=True).to_frame()
            for design, each in ((whole, frame), (alone, fewer))
        ]
        pd.testing.assert_frame_equal(*rows, rtol=1e-7)

    check()


def test_who_weighs_nothing_is_told_apart_and_seen_nowhere():
    frame, counted = with_strangers(1)
    made = of(frame, covariates=[*NAMES, "area"], weight="sw")
    assert "abroad" not in " ".join(made.covariates.names)
    design = tf.match(made)
    counts = design.counts.set_index(["fate", "arm"])["units"]
    assert counts[FATES[NOT_ASKED]].sum() == (~counted).sum()
    alone = tf.match(of(frame[counted], covariates=[*NAMES, "area"], weight="sw"))
    pd.testing.assert_frame_equal(design.overlap().data, alone.overlap().data)
    pd.testing.assert_frame_equal(design.distribution("x0").data, alone.distribution("x0").data)
    pd.testing.assert_frame_equal(design.distribution("area").data, alone.distribution("area").data)


def test_a_covariate_that_varies_only_among_who_weighs_nothing_is_constant():
    frame, counted = with_strangers(2)
    frame["flag"] = np.where(counted, 1.0, np.arange(len(frame)))
    one_line(lambda: of(frame, covariates=["x0", "flag"], weight="sw"), "flag: the same value")


def test_a_bootstrap_draw_without_anybody_who_counts_is_refused_in_words():
    made = of(people(), weight="sw")
    none = made.take(np.arange(10), np.zeros(10, dtype=int))
    none.weight[:] = 0.0
    for verb in (tf.match, tf.weight):
        one_line(lambda verb=verb: verb(none), "has a sampling weight above 0")


def test_scores_of_another_study_are_refused():
    scores = fit_propensity(of(people().iloc[:200]))
    with pytest.raises(ParameterError, match="another study"):
        tf.match(of(people()), propensity=scores)


# ------------------------------------------------------------------ groups

GROUPED = {
    "ATT, pairs": tf.match,
    "ATC, pairs": lambda made: tf.match(made, estimand="ATC", caliper=None),
    "ATC, with replacement": lambda made: tf.match(
        made, estimand="ATC", replace=True, caliper=None
    ),
    "ATT, with replacement": lambda made: tf.match(made, replace=True),
    "ATC, full": lambda made: tf.match(made, "full", estimand="ATC"),
    "ATE, full": lambda made: tf.match(made, "full", estimand="ATE"),
    "ATE, subclass": lambda made: tf.match(made, "subclass", estimand="ATE"),
    "ATC, weights": lambda made: tf.weight(made, estimand="ATC"),
}


@pytest.mark.parametrize("name", GROUPED)
def test_groups_are_of_those_whom_the_estimand_is_about(name):
    frame = people()
    design = GROUPED[name](of(frame))
    focal = {"ATT": design.study.treated, "ATC": ~design.study.treated}.get(
        design.estimand, np.ones(SIZE, dtype=bool)
    )
    parts = populations(design, frame["area"])
    kept = design.weights > 0
    assert set(parts) == set(frame["area"][focal & kept])
    for label, part in parts.items():
        inside = (frame["area"] == label).to_numpy()
        if design.estimand != "ATE":
            np.testing.assert_array_equal(part[focal & kept], inside[focal & kept])
        elif design.sets is not None:
            shares = pd.Series(inside[kept]).groupby(design.sets[kept]).mean()
            np.testing.assert_allclose(part[kept], shares.loc[design.sets[kept]])
    # The groups are the whole, and so are their effects together.
    np.testing.assert_allclose(sum(parts.values())[kept], 1.0)
    if design.sets is not None:
        whole = exact(design, frame["y"], method="difference", errors="robust")[0, 0]
        by = exact(design, frame["y"], method="difference", errors="robust", by=frame["area"])
        weights = [(part * design.target).sum() for part in parts.values()]
        assert np.average(by[:, 0], weights=weights) == pytest.approx(whole)


def test_groups_left_out_are_those_without_the_other_arm():
    frame = people().copy()
    lone = (frame["treated"] == 0) & (frame["count"] == 0)
    frame["group"] = np.where(lone, "lone", frame["area"])
    notes = {}
    for estimand in ("ATT", "ATC", "ATE"):
        design = tf.weight(of(frame), estimand=estimand)
        found = tf.estimate(design, frame["y"], by=frame["group"], errors="robust")
        notes[estimand] = [note for note in found.notes if "groups without" in note]
    assert notes["ATT"] == []
    assert "1 groups without treated units are left out." in notes["ATC"]
    assert "1 groups without units of both arms are left out." in notes["ATE"]


def test_groups_with_some_missing_are_named_as_they_are_without():
    frame = people()
    numbers = pd.Series(frame["count"] % 2 + 1.0).where(frame.index > 9)
    for by in (numbers, numbers.astype("Int64"), arrow(numbers.to_frame("by"))["by"]):
        assert set(populations(tf.weight(of(frame)), by)) == {"1", "2"}


# ------------------------------------------------------------------ the default chart


def test_the_default_chart_draws_outcomes_without_a_positive_mean():
    frame = people()
    y = pd.DataFrame({"y": frame["y"] - 20.0, "z": frame["z"]})
    effects = tf.estimate(tf.weight(of(frame)), y, errors="robust")
    assert effects.to_frame()["mean_comparison"].iloc[0] < 0
    found = effects.plot().data
    np.testing.assert_allclose(sorted(found["value"]), sorted(effects.to_frame()["estimate"]))
    # Where every effect has a share of the comparison's mean, that is drawn, as it was.
    share = effects.select("z").plot()
    expected = 100 * effects.select("z").to_frame()["relative"].iloc[0]
    assert share.data["value"].iloc[0] == pytest.approx(expected)
    with pytest.raises(DataError, match="scale relative"):
        effects.select("y").plot("relative")


def test_the_default_chart_draws_an_effect_on_a_mean_of_0():
    rows = pd.DataFrame({
        "outcome": ["a", "b"], "estimate": [0.2, 0.1], "std_error": [0.05, 0.05],
        "conf_low": [0.1, 0.0], "conf_high": [0.3, 0.2], "mean_comparison": [0.0, 0.5],
        "relative": [np.nan, 0.2], "relative_low": [np.nan, 0.0], "relative_high": [np.nan, 0.4],
        "n_treated": 100, "n_comparison": 100,
    })  # fmt: skip
    assert len(Effects(rows, np.diag([0.0025, 0.0025])).plot().data) == 2


@pytest.mark.parametrize("kind", ["number", "category"])
def test_a_value_missing_in_one_arm_alone_does_not_tell_the_arms_apart(kind):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"treated": np.repeat([1, 0], 100), "age": rng.normal(40, 5, 200)})
    frame["odd"] = rng.choice(["a", "b"], 200) if kind == "category" else rng.normal(size=200)
    frame.loc[120:150, "odd"] = None
    names = ["age", "odd"]
    assert any("missing" in name for name in tf.study(frame, covariates=names).covariates.names)
    found = tf.study(frame, covariates=names, fewest=10)
    assert not any("missing" in name for name in found.covariates.names)
    assert [name for name in found.left_out if "missing" in name] == ["odd: missing"]
    tf.match(found)  # converges
    frame.loc[:11, "odd"] = None  # and enough in both arms says something
    assert not tf.study(frame, covariates=names, fewest=10).left_out
