"""Results hold keys; words are made last, and nothing compares, parses or searches them."""

from __future__ import annotations

import ast
import csv
import tomllib
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.display import check_words, names
from tfeval.errors import TfevalError
from tfeval.impact.balance import tables
from tfeval.impact.design import design
from tfeval.impact.diagnostics import diagnose, placebos
from tfeval.impact.effects import areas, coefficients, multiple, pooling, published
from tfeval.impact.effects.effects import Effects
from tfeval.impact.inference import rules
from tfeval.impact.matching import settings as matching
from tfeval.impact.means.methods import METHODS, OUTCOME_MODELS
from tfeval.impact.panel import (
    bounds,
    discrete_threshold,
    event_study,
    group_time,
    synthetic,
    threshold,
)
from tfeval.impact.plan.analysis_plan import FILE, AnalysisPlan, read_plan
from tfeval.impact.plan.deviations import Analysis
from tfeval.impact.plan.rules import CORRECTIONS, plan_faults, varied
from tfeval.impact.sensitivity import moderation, support_dose
from tfeval.impact.weighting import weight, weights
from tfeval.settings import project_folder

PACKAGE = Path(tf.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# ------------------------------------------------------------------ every key has words

REGISTRIES = {
    "DESIGNS": {*matching.METHODS, *weight.METHODS, "unweighted", threshold.KIND,
                support_dose.KIND, moderation.KIND},
    "METHODS": {*METHODS, published.METHOD, event_study.KIND, *synthetic.KINDS,
                *discrete_threshold.METHODS.values(), support_dose.KIND, moderation.KIND,
                group_time.KIND},
    "OUTCOME_MODELS": set(OUTCOME_MODELS),
    "ERRORS": {*rules.ERRORS, *coefficients.ERRORS, *synthetic.ERRORS, published.BY_SIGNIFICANCE,
               published.BY_DESIGN, threshold.NEIGHBOURS},
    "ESTIMANDS": {*(one for several in weight.METHODS.values() for one in several),
                  *weights.ESTIMANDS, *threshold.ESTIMANDS, support_dose.ESTIMAND},
    "COEFFICIENTS": {coefficients.COEFFICIENT, coefficients.AT_ZERO, event_study.ESTIMANDS[False]},
    "WINDOWS": set(event_study.WINDOWS),
    "SCALES": {*coefficients.SCALES.values()} - {""},
    "STATUSES": set(rules.NOT_ESTIMATED),
    "SMALL_SAMPLES": set(rules.SMALL_SAMPLES),
    "CORRECTIONS": {*CORRECTIONS, *multiple.METHODS},
    "FATES": set(design.FATES),
    "VERDICTS": {tables.BALANCED, tables.PARTLY, tables.NOT_BALANCED},
    "CHECKS": set(placebos.CHECKS),
    "CHECK_QUESTIONS": set(placebos.CHECKS),
    "CHECK_VERDICTS": set(placebos.VERDICTS),
    "CHECK_REASONS": set(placebos.REASONS),
    "CONFIDENCES": set(diagnose.CONFIDENCES),
    "UNMEASURED": set(diagnose.BOUNDS),
    "POOLINGS": set(areas.ESTIMATORS),
    "PRIORS": set(pooling.LOG_PRIORS),
    "RESTRICTIONS": set(bounds.RESTRICTIONS),
}  # fmt: skip


@pytest.mark.parametrize("name", REGISTRIES)
def test_every_key_has_words_and_no_words_lack_a_key(name):
    words = getattr(names if hasattr(names, name) else check_words, name)
    assert set(words) == REGISTRIES[name]
    assert all(text.strip() for text in words.values())
    assert all(" " not in key for key in words)


def test_every_status_can_be_said():
    for text in [*names.STATUSES.values(), *names.SMALL_SAMPLES.values()]:
        assert "{" not in text.format(who="families", **rules.LIMITS)


# ------------------------------------------------------------------ nothing compares words

#: Calls that compare or search their first argument.
SEARCHES = {"startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition",
            "split", "rsplit", "replace", "find", "rfind", "index", "rindex", "count", "eq", "ne",
            "isin", "contains", "match", "fullmatch", "search", "sub", "findall", "get",
            "pop"}  # fmt: skip
#: Text that is compared all the same, and what it is: of a library, a source or a file's format;
#: a name of a column or unit; or one constant that the package writes and reads itself.
ALLOWED = {
    "all measured before": "how a plan's file names the covariates",
    ": missing": "ends a column's name",
    "0 or 1": "a unit",
    "# Parameters\n": "a comment that papermill writes",
    "# Parameters": "a comment that papermill writes",
    '<data value="\\1">\\2</data>': "markup of a recorded fact",
    " for each": "part of a unit, £ for each £1",
    "extra ==": "how a package's metadata marks what is optional",
    "No description has been provided for this image": "what nbconvert writes",
    **dict.fromkeys(["CSV Error on Line: ([0-9]+)", "no space left", "lock on file",
                     "another process", "we can only read"], "another package's own message"),
    "central government": "a payer, as the tables of costs name it",
    "<!-- linked records: written by tfeval.records.dictionary from the schema -->": "a marker",
    "<!-- end of linked records -->": "a marker",
    "shown by tfeval: own words": "a marker",
    "shown by tfeval: type alone": "a marker",
    "its own text is withheld": "stands in place of another package's message",
    "page on": "begins a note of a published figure",
    " Appraise ": "begins advice to who calls the package",
    "NHS number": "a kind of identifier in the data dictionary",
    "row number": "a kind of column in the data dictionary",
    "half days": "a unit of the data dictionary",
    "National claim": "a row of the table of claims",
    **dict.fromkeys(["a category", "times of day", "complex numbers", "neither numbers nor text",
                     "text and numbers"], "a kind of values, in errors"),
    **dict.fromkeys(["unit cost", "present value", "at the estimates", "mean of the draws",
                     "Partial R2", "Effect at a delta of 1"], "a column's heading"),
}  # fmt: skip


@cache
def data_words() -> frozenset[str]:
    """Return every cell of the published tables: their vocabulary is data."""
    found: set[str] = set()
    for path in project_folder("data").rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                found.update(row)
    return frozenset(found)


@cache
def said() -> frozenset[str]:
    """Return all words of keys that are not the key itself."""
    return frozenset(
        text
        for name, value in vars(names).items() if name.isupper() and isinstance(value, dict)
        for key, text in value.items() if text != key
    )  # fmt: skip


def is_prose(text: str) -> bool:
    letters = sum(character.isalpha() for character in text)
    phrase = " " in text.strip() and letters > 1
    known = text in ALLOWED or text in data_words()
    return (phrase or text in said()) and not known


def constants_of(tree: ast.Module) -> dict[str, list[str]]:
    """Return the texts of a module's constants, by name."""
    found = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else (
            [node.target] if isinstance(node, ast.AnnAssign) else [])  # fmt: skip
        for target in targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for one, value in pairs:
                if isinstance(one, ast.Name) and value is not None:
                    found[one.id] = texts_of(value, {})
    return found


def texts_of(node: ast.expr | None, constants: dict[str, list[str]]) -> list[str]:
    """Return the texts that a comparison with an expression looks for."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.Name):
        return constants.get(node.id, [])
    parts: list[ast.expr | None] = []
    if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.JoinedStr):
        parts = list(node.values if isinstance(node, ast.JoinedStr) else node.elts)  # noqa: PD011
    elif isinstance(node, ast.Dict):
        parts = node.keys
    elif isinstance(node, ast.BinOp):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Starred):
        parts = [node.value]
    return [text for part in parts for text in texts_of(part, constants)]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def known_to(tree: ast.Module) -> dict[str, list[str]]:
    """Return the constants of a module and those that it imports from the package."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tfeval."):
            path = PACKAGE.parent / (node.module.replace(".", "/") + ".py")
            theirs = constants_of(parsed(path)) if path.is_file() else {}
            found |= {item.asname or item.name: theirs[item.name]
                      for item in node.names if item.name in theirs}  # fmt: skip
    return found | constants_of(tree)


def compared(tree: ast.Module) -> list[tuple[int, str]]:
    """Return every text that a module compares with, or searches for, and that is prose."""
    constants, found = known_to(tree), []
    for node in ast.walk(tree):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            parts = node.args[:1] if node.func.attr in SEARCHES else []
        found += [(node.lineno, text) for part in parts
                  for text in texts_of(part, constants) if is_prose(text)]  # fmt: skip
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_compares_parses_or_searches_words(path):
    found = compared(parsed(path))
    assert not found, f"{path.name} compares words, where a key would do: {found}"


@pytest.mark.parametrize(
    "source",
    [
        'x = row["method"] == "analysis of covariance"',
        'x = row["state"] in ("alike", "not balanced")',
        'x = text.startswith("Headline: of all")',
        'x = text.removesuffix("; counting that the weights were estimated")',
        'x = "logistic model" in row["method"]',
        'x = re.search("clustered by .*", text)',
        'x = frame["kind"].eq("too few to show")',
        'WORDS = "clustered by area"\nx = row["errors"] == WORDS',
        'x = row["kind"] == "half-Cauchy"',
        "from tfeval.display.names import SIMULATED\nx = SIMULATED in page",
        "from tfeval.display.names import NOT_SAID as unknown\nx = row == unknown",
        'match row:\n    case "not balanced":\n        pass',
    ],
)
def test_a_comparison_with_words_is_found(source):
    assert compared(ast.parse(source))


def test_a_comparison_with_a_key_or_with_data_is_none():
    source = 'x = row["method"] == "adjusted" or row["qualifier"] == "at least" or ", " in text'
    assert not compared(ast.parse(source))


# ------------------------------------------------------------------ as planned is planned

TEXT = (project_folder("data") / FILE).read_text(encoding="utf-8")
CLUSTERS = {"two_way": ["local_authority", "region"]}
WAYS = [
    (method, model, errors, stacked)
    for method, errors, stacked in product(METHODS, rules.ERRORS, (True, False))
    for model in METHODS[method].outcome_models
]


def planned_as(design: dict | None = None, **estimate: object) -> AnalysisPlan:
    """Return the project's plan with another design or estimate as its main analysis."""
    content = tomllib.loads(TEXT)
    content.pop("sensitivity")
    content = varied(content, {"design": design or {}, "estimate": estimate})
    assert not plan_faults(content)
    main = Analysis.of(content)
    plan = read_plan()
    return AnalysisPlan(
        title=plan.title, version=plan.version, date=plan.date, primary=plan.primary,
        secondary=plan.secondary, horizons=plan.horizons, main=main, sensitivity={},
        correction=plan.correction, content=content,
    )  # fmt: skip


@pytest.mark.parametrize(("method", "model", "errors", "stacked"), WAYS)
def test_an_analysis_as_planned_is_never_exploratory(method, model, errors, stacked):
    wanted = rules.columns_of(errors)
    clusters = ["local_authority", "region"][:wanted]
    plan = planned_as(method=method, outcome_model=model, errors=errors, cluster=clusters)
    for order in (clusters, clusters[::-1]):
        asked = rules.Asked(errors, tuple(order), stacked)
        kind, cluster = asked.keys_of(np.array(["cr1"]))[0]
        row = {"method": method, "outcome_model": model if METHODS[method].adjusts else "",
               "errors": kind, "cluster": cluster}  # fmt: skip
        assert plan.compare("offences", 12, row) == ("main", [])
        # And each of these keys counts.
        other = {**row, "errors": "hc3" if errors != "hc3" else "robust", "cluster": ""}
        assert plan.compare("offences", 12, other)[1]
        assert plan.compare("offences", 12, {**row, "method": "another"})[1]


@pytest.fixture(scope="module")
def families() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"age": rng.normal(size=900), "local_authority": np.arange(900) % 30})
    frame["treated"] = rng.random(900) < 1 / (1 + np.exp(1.0 - frame["age"]))
    frame["offences"] = rng.poisson(np.exp(0.2 * frame["age"])).astype(float)
    return frame


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize(
    ("errors", "replace"),
    [("abadie_imbens", True), ("pair", False), ("cluster", False), ("robust", True)],
)
def test_what_estimate_makes_of_a_plan_is_planned(families, errors, replace, stacked):
    cluster = ["local_authority"] if errors == "cluster" else []
    plan = planned_as({"replace": replace}, method="difference", errors=errors, cluster=cluster)
    made = tf.study(families, covariates=["age"], cluster="local_authority")
    effects = tf.estimate(
        tf.match(made, order="random", replace=replace), families["offences"], months=12,
        method="difference", errors=errors, stacked=stacked,
    )  # fmt: skip
    assert effects.frame["stacked"].tolist() == [stacked and errors == "abadie_imbens"]
    why = " ".join(plan.mark(effects).notes[len(effects.notes) :])
    # The study is of no cohort, which is not known; its method and errors are as planned.
    assert "comparison group: not known" in why
    assert "estimator" not in why and "errors" not in why


@pytest.mark.parametrize("stacked", [True, False])
def test_words_are_those_of_the_keys(families, stacked):
    made = tf.weight(tf.study(families, covariates=["age"], cluster="local_authority"))
    effects = tf.estimate(made, families["offences"], errors="cluster", stacked=stacked)
    row = effects.to_frame().iloc[0]
    held = row[["design", "method", "outcome_model", "errors", "cluster", "stacked"]].tolist()
    assert held == ["inverse_propensity", "adjusted", "linear", "cluster", "local_authority",
                    stacked]  # fmt: skip
    text = " ".join(effects.table().text().split())
    assert "Method: regression-adjusted (g-computation)." in text
    assert "Errors: clustered by local authority" in text
    assert ("counting that the weights were estimated" in text) == stacked


def test_designs_are_told_apart_in_words(families):
    made = tf.study(families, covariates=["age"])
    effects = [tf.estimate(tf.weight(made, how), families["offences"])
               for how in ("entropy", "inverse_propensity")]  # fmt: skip
    both = tf.combine_effects(effects)
    assert both.names == ["offences, entropy", "offences, inverse_propensity"]
    text = both.table().text()
    assert "entropy balancing" in text and "inverse propensity weights" in text
    assert "Entropy balancing" in repr(tf.weight(made, "entropy"))
    assert isinstance(both, Effects)
    with pytest.raises(TfevalError, match="No effect has design"):
        both.select(design="Entropy balancing")
