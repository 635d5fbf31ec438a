"""Keys of checks in words: what each asks, its verdict and why, and what confidence is left."""

from __future__ import annotations

#: Checks of a comparison, and what each asks.
CHECKS = {
    "placebo_outcomes": "placebo outcomes",
    "placebo_index_date": "placebo index date",
    "trend_before": "trend before",
    "negative_controls": "negative controls",
    "authorities": "without each authority",
    "contamination": "contamination",
    "overlap": "overlap",
    "censoring": "censoring",
}
CHECK_QUESTIONS = {
    "placebo_outcomes": "Is there an “effect” on the year before the one that the design knows?",
    "placebo_index_date": "Is there an “effect” of a date before anybody joined?",
    "trend_before": "Did both groups change alike within the year before?",
    "negative_controls": "Is there an “effect” on what the programme cannot move?",
    "authorities": "Does any conclusion turn without one of the authorities?",
    "contamination": "How far could help for comparison families have diluted the effects?",
    "overlap": "Has everybody others like them to be compared with, and enough of them?",
    "censoring": "Were comparison families who joined meanwhile doing as those who did not?",
}
AT_ONCE = "All outcomes together, for the worse, in standard deviations"
CHECK_VERDICTS = {"passed": "passed", "failed": "FAILED", "cannot_be_judged": "cannot be judged"}
#: Why a check has its verdict; the numbers are those of its row.
CHECK_REASONS = {
    "differs": "the groups differ where they should not, by more than chance, and it may be by as "
    "much as matters; of {tests} outcomes",
    "differs_earlier": "they differed before; so do families chosen on what was recorded since",
    "alike": "no difference beyond chance in the {tests} outcomes that it can take, and in all of "
    "them together less than the {margin} standard deviations that would matter",
    "small": "they differ by more than chance, but by too little to matter: by at most {reach} "
    "standard deviations, and {margin} would",
    "no_power": "this check could not see it: no difference beyond chance, but one of {reach} "
    "standard deviations is not ruled out, and {margin} would matter",
    "no_outcome": "no outcome in these records is out of the programme's reach, or known for this",
    "no_records": "too few families have records that reach back so far",
    "not_repeatable": "the design cannot be made again on other families or covariates",
    "not_possible": "the design is not possible without what this check leaves out",
    "not_estimable": "no outcome has an estimate with an error",
    "too_few": "fewer than {fewest} families would tell",
    "no_authorities": "the study does not say which authority a family is of",
    "few_authorities": "only {tests} authorities are large enough, and {authorities} are needed",
    "turns": "a conclusion hangs on one of {tests} authorities, as in about 1 of 20 sound studies",
    "holds": "no conclusion turns without any one of the {tests} authorities large enough for it",
    "diluted": "{share} of the comparison may have been helped otherwise and {left_out} were "
    "treated within the horizon; an effect could lie outside its interval",
    "not_diluted": "{share} of the comparison may have been helped otherwise and {left_out} were "
    "treated within the horizon; no effect would leave its interval. Help that is in no record "
    "is not seen",
    "told_apart": "what was recorded tells the groups apart: nobody has others like them",
    "outside": "{share} have nobody like them in the other group, or hardly anybody",
    "few_carry": "the weights rest on few: a group counts as {effective} of those kept in it, and "
    "one of them carries {largest} of its weight",
    "overlaps": "{share} have nobody like them in the other group, or hardly anybody, and the "
    "weights do not rest on few",
    "hardly_censored": "hardly any comparison family joined within the horizon",
    "stays_not_mended": "{left_out} joined within the horizon, and the weights of the others do "
    "not stand for them: they are not alike, or few carry the weight",
    "stays_mended": "{left_out} joined within the horizon; the others stand for them by weights, "
    "in what was recorded until each month",
    "censored_differ": "{left_out} joined within the horizon, and differed before that from those "
    "who did not, given what was recorded at first, it may be by as much as matters",
    "censored_alike": "{left_out} joined within the horizon; given what was recorded at first, "
    "they did not differ before that by more than chance, nor by as much as matters",
    "censored_small": "{left_out} joined within the horizon, and differed before that from those "
    "who did not by more than chance, but by too little to matter",
}
CONFIDENCES = {"high": "high", "moderate": "moderate", "low": "low", "none": "none"}
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
#: How strong something unmeasured would have to be.
UNMEASURED = {
    "stronger_than_any": "something unmeasured would have to be stronger than any covariate that "
    "was recorded to undo an effect",
    "like_a_covariate": "something unmeasured need be no stronger than a covariate that was "
    "recorded to undo an effect",
    "nothing_to_undo": "no effect can be told from none, so there is none for something unmeasured "
    "to undo, though it could hide one",
    "not_known": "how strong something unmeasured would have to be is not known",
}
