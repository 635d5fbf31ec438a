"""Checks of a threshold in words: what each asks, and why it has its verdict."""

from __future__ import annotations

#: Checks of a threshold, and what each asks.
THRESHOLD_CHECKS = {
    "density": "Do units heap on one side of the cutoff?",
    "heap": "Are there more, or fewer, units at the cutoff's value than its neighbours let expect?",
    "covariates": "Does a covariate jump at the cutoff?",
    "first_stage": "Does the cutoff move units to the programme?",
    "curvature": "Does the outcome curve more than the bound says?",
    "placebo_cutoffs": "Is there an “effect” of another cutoff?",
    "donut": "Does the effect change without the units nearest to the cutoff?",
    "bandwidths": "Does the effect change with the bandwidth?",
}
#: Why a check of a threshold has its verdict.
THRESHOLD_REASONS = {
    "differs": "more than by chance",
    "alike": "no more than by chance",
    "strong": "enough of them",
    "weak": "too few of them",
    "no_bound": "not said how unevenly the frequencies may lie",
    "too_few": "too few units, or values of the running variable",
}
