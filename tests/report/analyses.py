"""What the cells of notebooks 2, 3, 4 and 6 do, for tests of the chapters."""

from __future__ import annotations

from typing import Any

import tfeval as tf
from tfeval.report.chapters import additional, effects_record, families, impact, value
from tfeval.report.chapters.linked import cohort_of


def compared(spec: tf.Specification, extract: str = "simulated") -> tuple[tf.Cohort, tf.Design]:
    """Return the cohort and the design."""
    cohort = cohort_of(extract, spec.phase, spec.comparison, spec.horizon)
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
    return impact.Analysis(spec, extract, cohort, design, effects, plan)


def results(extract: str = "simulated", **choices: Any) -> additional.Additional:
    """Return what chapter 6 says of results."""
    spec = tf.Specification(**choices)
    return additional.results_met(extract, *compared(spec, extract), spec)


def page(extract: str = "simulated", area: str = "all", **choices: Any) -> families.Families:
    """Return what chapter 2 is about."""
    spec = tf.Specification(**choices)
    records = tf.records_of(extract, spec.phase)
    cohort = cohort_of(extract, spec.phase, spec.comparison, spec.horizon)
    return families.Families(records, tf.check_records(records), cohort, area)


def valued(impact: Any, *, phase: str = "one", **assumed: Any) -> value.Value | value.Unvalued:
    """Return what chapter 7 is about."""
    assumptions = tf.Assumptions(**assumed)
    effects = effects_record.read_effects(impact)
    costs = tf.programme_costs(phase, "total", assumptions.price_year)
    asked = value.asked(impact, effects, phase, assumptions)
    worth = value.or_why_not(tf.appraise, effects, costs, **asked)
    drawn = worth.uncertainty(draws=10_000)
    designs = value.under_designs(drawn, impact, effects, costs, asked)
    return value.together(worth, drawn, designs, impact, phase=phase, settings=asked)
