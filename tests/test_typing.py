"""What editors, completers and type checkers know of the package, without running it."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

import tfeval as tf
from tests.typing import user_script
from tfeval.impact.matching.settings import METHODS, TAKES
from tfeval.impact.matching.settings import Settings as MatchSettings
from tfeval.records.listed_families import HistorySettings
from tfeval.records.simulation.settings import SimulationSettings

PACKAGE = Path(tf.__file__).parent
PIPELINE = {
    "simulate": "SimulatedRecords",
    "simulate_histories": "SimulatedRecords",
    "open_records": "Records",
    "cohort": "Cohort",
    "study": "Study",
    "match": "Design",
    "weight": "Design",
    "unweighted": "Design",
    "balance": "Balance",
    "estimate": "Effects",
    "correct": "Effects",
    "combine_effects": "Effects",
    "sensitivity": "Sensitivity",
    "impute": "Imputations",
    "pool_areas": "AreaEffects",
    "read_plan": "AnalysisPlan",
    "register_plan": "Registration",
    "appraise": "Appraisal",
}


def test_the_static_list_is_the_one_that_loads():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    told = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name, f"{alias.name} is not exported: as {alias.name}"
                module = f"{node.module}.{alias.name}"
                told[alias.name] = module if module in tf._PUBLIC.values() else node.module
    assert told == tf._PUBLIC
    assert (PACKAGE / "py.typed").is_file()


def test_the_wheel_carries_what_type_checkers_read():
    wheel = pytest.importorskip("hatchling.builders.wheel")
    builder = wheel.WheelBuilder(str(PACKAGE.parent))
    shipped = {file.distribution_path for file in builder.recurse_included_files()}
    assert {"tfeval/py.typed", "tfeval/__init__.pyi", "tfeval/__init__.py"} <= shipped


def test_every_public_name_is_what_the_static_list_says():
    for name, module in tf._PUBLIC.items():
        own = getattr(tf, name)
        where = getattr(inspect.unwrap(own) if callable(own) else own, "__module__", module)
        assert where.startswith("tfeval"), f"{name} is of {where}"


def test_what_verbs_return_is_public():
    rooms = ("tfeval.records", "tfeval.cohort", "tfeval.impact")
    for name, module in tf._PUBLIC.items():
        own = getattr(tf, name)
        if not module.startswith(rooms) or inspect.isclass(own):
            continue
        returned = inspect.signature(own).return_annotation
        if (made := vars(sys.modules[module]).get(returned)) is not Any and inspect.isclass(made):
            assert returned in tf._PUBLIC, f"{name} returns a {returned}, which is not public"


def test_errors_are_public_and_one_family():
    for name in ("DataError", "ParameterError", "SourceError", "ReportError"):
        assert issubclass(getattr(tf, name), tf.TfevalError)


def default_of(field):
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else inspect._empty


@pytest.mark.parametrize(
    ("verb", "settings", "beside"),
    [
        (tf.match, MatchSettings, {"study", "model", "folds", "propensity"}),
        (tf.simulate, SimulationSettings, {"families", "seed"}),
        (tf.simulate_to, SimulationSettings, {"folder", "families", "seed", "families_at_once"}),
        (tf.simulate_histories, HistorySettings, {"families", "seed"}),
    ],
    ids=["match", "simulate", "simulate_to", "simulate_histories"],
)
def test_a_verb_has_the_settings_of_its_one_definition(verb, settings, beside):
    signature = inspect.signature(verb).parameters
    told = {field.name: field for field in fields(settings)}
    assert set(signature) - beside == set(told)
    for name, field in told.items():
        # No mapping can be a default that is safe to share; None stands for an empty one.
        given = signature[name].default
        assert given == default_of(field) or (given is None and default_of(field) == {}), name
        if name != "distance":  # own numbers come in by the verb alone
            assert signature[name].annotation.removesuffix(" | None") == field.type.removesuffix(
                " | None"
            ), name


def test_no_public_verb_before_money_hides_its_settings():
    rooms = ("tfeval.records", "tfeval.cohort", "tfeval.impact")
    for name, module in tf._PUBLIC.items():
        if module.startswith(rooms) and not inspect.isclass(getattr(tf, name)):
            kinds = {one.kind for one in inspect.signature(getattr(tf, name)).parameters.values()}
            assert inspect.Parameter.VAR_KEYWORD not in kinds, name


@pytest.mark.parametrize("method", METHODS)
def test_a_setting_is_refused_if_it_is_given_and_another_methods(method):
    made = object()  # settings are looked at first
    usual = {field.name: default_of(field) for field in fields(MatchSettings)}
    for name in {name for taken in TAKES.values() for name in taken} - TAKES[method]:
        with pytest.raises(tf.ParameterError, match=f"takes no {name}"):
            tf.match(made, method, **{name: usual[name]})
        with pytest.raises(tf.ParameterError, match=f"takes no {name}"):
            tf.match(made, method=method, **{name: usual[name]})
    for name in TAKES[method]:
        with pytest.raises(tf.ParameterError, match="match takes a study"):
            tf.match(made, method, **{name: usual[name]})


COMPLETIONS = [
    ("tf.match(study, cal", {"caliper=", "calipers=", "caliper_unit=", "caliper_spread="}),
    ('tf.match(study, "full", est', {"estimand="}),
    ("tf.study(frame, form", {"formula="}),
    ("tf.weight(study, trim", {"trim=", "trimmed="}),
    ("tf.simulate(families=10, crisis", {"crisis_share=", "crisis_height=", "crisis_days="}),
    ("tf.simulate_to(folder, records", {"records_from=", "records_to="}),
    ("tf.estimate(design, outcomes, err", {"errors="}),
    ("tf.cohort(records, hor", {"horizon="}),
    ("tf.match(study).to_", {"to_frame"}),
    ("tf.match(study).to_frame(cov", {"covariates="}),
    ("tf.match(study).balance(thr", {"thresholds="}),
    ("tf.estimate(design, outcomes).pool(prior", {"prior=", "prior_scale="}),
    ("tf.cohort(records).cov", {"covariates"}),
    ("tf.simulate(families=10, seed=1).rec", {"records"}),
    ("tf.Effects.from_stats", {"from_statsmodels"}),
    ("tf.Da", {"DataError"}),
]


@pytest.mark.parametrize(("typed", "wanted"), COMPLETIONS)
def test_an_editor_completes_it_without_running_anything(typed, wanted):
    jedi = pytest.importorskip("jedi")
    code = f"import tfeval as tf\n{typed}"
    names = {one.name for one in jedi.Script(code).complete(2, len(typed))}
    assert wanted <= names


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Return what answers a notebook's Tab: the shell of a kernel, with its own settings."""
    pytest.importorskip("IPython")
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    main, config = sys.modules["__main__"], Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell(config=config, ipython_dir=str(tmp_path_factory.mktemp("ipython")))
    made.user_ns["tf"] = tf
    yield made
    sys.modules["__main__"] = main  # a shell takes its place


@pytest.mark.parametrize("use_jedi", [True, False])
@pytest.mark.parametrize(
    ("typed", "wanted"), [(typed, wanted) for typed, wanted in COMPLETIONS if ")" not in typed]
)
def test_jupyterlab_completes_it(shell, typed, wanted, use_jedi):
    from IPython.core.completer import provisionalcompleter

    shell.Completer.use_jedi = use_jedi
    with provisionalcompleter():
        names = {one.text for one in shell.Completer.completions(typed, len(typed))}
    assert wanted <= {name.removeprefix("tf").removeprefix(".") for name in names} | {
        name.rpartition(".")[2] for name in names
    }


@pytest.mark.slow(reason="mypy reads pandas' stubs and this package from nothing")
def test_a_users_script_passes_strict_and_knows_every_type(tmp_path):
    script = tmp_path / "script.py"
    text = Path(user_script.__file__).read_text(encoding="utf-8")
    asked = [f"reveal_type(tf.{name})" for name in PIPELINE]
    results = ["design", "balance", "effects", "theirs", "both", "held"]
    inside = "".join(f"    reveal_type({name})\n" for name in results)
    text = text.replace("    return both", f"{inside}    return both")
    script.write_text(text + "\n" + "\n".join(asked) + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-color-output",
         f"--cache-dir={tmp_path / 'cache'}", script.name],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    own = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert [line for line in own if "pandas" not in line] == []
    told = re.findall(r'note: Revealed type is "(.+)"', done.stdout)
    assert len(told) == len(results) + len(PIPELINE), done.stdout
    known = [text.rpartition(".")[2] for text in told[: len(results)]]
    assert known == ["Design", "Balance", "Effects", "Effects", "Effects", "DataFrame"]
    for (name, wanted), text in zip(PIPELINE.items(), told[len(results) :], strict=True):
        assert text.startswith("def "), f"{name}: {text}"
        returned = text.rpartition(" -> ")[2]
        assert "Any" not in returned
        assert returned.rpartition(".")[2] == wanted or name == "correct", f"{name}: {returned}"


@pytest.mark.slow(reason="a study of 4,000 simulated families, and statsmodels beside")
def test_the_script_runs_and_both_packages_say_the_same():
    found = user_script.main(families=4000)
    ours, theirs = found["estimate"]
    error = found["std_error"].iloc[0]
    assert abs(ours - theirs) < 2 * error
