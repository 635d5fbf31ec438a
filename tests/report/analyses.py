"""What the cells of notebooks 2, 3, 4 and 6 do, for tests of the chapters."""

from __future__ import annotations

import ast
import json
from typing import Any

import tfeval as tf
from tests.display.text_boxes import faults_of
from tfeval.display.figures import Chart
from tfeval.report.chapters import additional, families, impact, value
from tfeval.report.chapters.linked import cohort_of
from tfeval.report.notebook_parts import content_of
from tfeval.report.record import Records
from tfeval.settings import project_folder


def compared(spec: tf.Specification, extract: str = "simulated") -> tuple[tf.Cohort, tf.Design]:
    """Return the cohort and the design."""
    cohort = cohort_of(extract, spec.phase, spec.comparison, spec.horizon, spec.treatment)
    study = tf.study(cohort, months=spec.horizon).named(cohort.labels)
    return cohort, tf.design(study, spec.design, caliper=spec.caliper)


def analysis(extract: str = "simulated", **choices: Any) -> impact.Analysis:
    """Return what chapter 4 is about."""
    spec = tf.Specification(**choices)
    cohort, design = compared(spec, extract)
    plan = tf.read_plan()
    outcomes = impact.outcomes_shown(cohort, design, spec.horizon, plan)
    effects = tf.estimate(
        design, outcomes, months=spec.horizon, method=spec.estimator, plan=plan
    ).with_corrections(plan.correction["method"], family="role")
    return impact.Analysis(spec, extract, cohort, design, design.balance(), effects, plan)


def results(extract: str = "simulated", **choices: Any) -> additional.Additional:
    """Return what chapter 6 says of results."""
    spec = tf.Specification(**choices)
    return additional.results_met(extract, *compared(spec, extract), spec)


def page(extract: str = "simulated", area: str = "all", **choices: Any) -> families.Families:
    """Return what chapter 2 is about."""
    spec = tf.Specification(**choices)
    records = tf.records_of(extract, spec.phase)
    cohort = cohort_of(extract, spec.phase, spec.comparison, spec.horizon, spec.treatment)
    return families.Families(records, tf.check_records(records), cohort, area)


def valued(analysis: Any, *, phase: str = "one", **assumed: Any) -> value.Value | value.Unvalued:
    """Return what chapter 7 is about."""
    assumptions = tf.Assumptions(**assumed)
    effects = impact.read_effects(analysis)
    costs = tf.programme_costs(phase, assumptions.costs, assumptions.price_year)
    asked = value.asked(analysis, effects, phase, assumptions)
    worth = value.or_why_not(tf.appraise, effects, costs, **asked)
    drawn = worth.uncertainty(draws=10_000)
    designs = value.under_designs(drawn, analysis, effects, costs, asked)
    return value.together(worth, drawn, designs, analysis, phase=phase, settings=asked)


class Kept(dict):
    """Records that notebooks make, by chapter, in the place of their outputs."""

    def keep(self, made):
        self[self.now][0][made.name] = made

    def record_table(self, name, frame):
        self[self.now][1][name] = content_of(name, frame)

    def read(self, name, _where=""):
        return Records(name, *self[name])


def run(name: str, kept: Kept, **parameters) -> str:
    """Run a notebook's code as it stands and return everything that it shows, as text."""
    cells = json.loads((project_folder("notebooks") / f"{name}.ipynb").read_text())["cells"]
    kept.now, shown, space = name, [], {}
    kept[name] = ({}, {})
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or "provenance(" in source:
            continue
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), space)
        if "parameters" in cell["metadata"].get("tags", []):
            space |= {key: item for key, item in parameters.items() if key in space}
        elif last is not None:
            made = eval(compile(ast.Expression(last.value), name, "eval"), space)
            if hasattr(made, "_repr_mimebundle_"):
                made._repr_mimebundle_()
            if isinstance(made, Chart):
                assert faults_of(made.svg()) == [], made.title
            shown.append(made.text() if hasattr(made, "text") else repr(made))
    return "\n".join(shown)
