"""What somebody writes who uses tfeval: checked by mypy, and run."""

from __future__ import annotations

import pandas as pd
import statsmodels.api as sm  # type: ignore[import-untyped]

import tfeval as tf


def design_of(families: tf.Cohort, caliper: float) -> tf.Design:
    """Match on everything measured before."""
    study: tf.Study = tf.study(families, months=12)
    return tf.match(study, caliper=caliper, order="random", replace=False)


def main(families: int = 2000) -> pd.DataFrame:
    """From simulated records to effects by two packages."""
    simulated = tf.simulate(families=families, seed=1, crisis_share=0.5)
    cohort = tf.cohort(simulated.records, phase="one", horizon=(6, 12))
    try:
        design = design_of(cohort, caliper=0.2)
    except tf.DataError as fault:
        raise SystemExit(str(fault)) from None
    balance: tf.Balance = design.balance()
    effects: tf.Effects = tf.estimate(design, cohort, months=12)
    held = design.to_frame(covariates=True)
    outcome = cohort.outcomes(12)["absence"][held.index]
    known = outcome.notna()
    model = sm.WLS(outcome[known], sm.add_constant(held["treated"])[known], held["weight"][known])
    theirs = tf.Effects.from_statsmodels(model.fit(cov_type="HC1"), design=design, months=12)
    both = tf.combine_effects([effects.select("absence"), theirs])
    print(balance.verdict().word, simulated.truth.settings.crisis_share)  # noqa: T201
    return both.to_frame()[["outcome", "method", "estimate", "std_error"]]


if __name__ == "__main__":
    main()
