"""Keys in words: every method, design, error, estimand, status and correction, said last.

Results hold keys; nothing compares the words here. A test holds each registry's keys to have words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfeval.display.words import is_missing

#: On whatever was made from simulated records.
SIMULATED = "Simulated records: not findings about the programme"
#: Of a key that is not known.
NOT_SAID = "not said"
#: Stands for what a table does not tell.
NOT_KNOWN = "not_known"
#: Between the columns of two clusterings, in one key.
AND = "+"

DESIGNS = {
    "nearest": "nearest-neighbour matching",
    "mahalanobis": "nearest-neighbour matching on Mahalanobis distance",
    "optimal": "optimal pair matching",
    "full": "optimal full matching",
    "coarsened_exact": "coarsened exact matching",
    "subclass": "subclassification",
    "kernel": "kernel matching",
    "radius": "radius matching",
    "inverse_propensity": "inverse propensity weights",
    "overlap": "overlap weights",
    "entropy": "entropy balancing",
    "unweighted": "no matching or weighting",
    "threshold": "regression discontinuity",
    "support_dose": "dose of support",
    "moderation": "cross-fitted models of outcome and treatment",
}
#: What the plan of the areas can answer, and the rules of a finding.
AREA_ANSWERS = {
    "moved": "Moved with the programme",
    "nothing_found": "No effect found",
    "not_answerable": "Not answerable by this design",
}
FINDING_RULES = {
    "pre_trend": "the trend before",
    "adjusted_p": "p, corrected",
    "randomisation_p": "p, by chance",
    "same_sign": "one sign",
    "bounds": "the bounds",
}
#: What figures say of a change as large as one that was claimed.
RULINGS = {
    "more_than_all": "more than there was",
    "ruled_out": "ruled out",
    "if_parallel": "ruled out only if trends were parallel",
    "not_ruled_out": "not ruled out",
    "too_small": "too small to be seen",
    "not_told": "cannot be told",
}
METHODS = {
    "difference": "difference of weighted means",
    "adjusted": "regression-adjusted (g-computation)",
    "covariance_adjusted": "analysis of covariance",
    "doubly_robust": "doubly robust (augmented weighting)",
    "published": "propensity score matching, as published",
    "event_study": "event study with unit and period effects",
    "synthetic_difference_in_differences": "synthetic difference-in-differences",
    "synthetic_control": "synthetic control",
    "difference_in_differences": "difference-in-differences",
    "local_polynomial": "local polynomial, bias taken off (Calonico, Cattaneo and Titiunik)",
    "honest_local_linear": "local linear, honest to a bound on curvature (Kolesár and Rothe)",
    "local_randomisation": "difference between the values next to the cutoff, as if drawn by lot",
    "support_dose": "cross-fitted regression on the dose, covariates taken out",
    "moderation": "doubly robust, cross-fitted, and its regression on what tells families apart",
    "group_time": "group-time effects (Callaway and Sant'Anna)",
}
OUTCOME_MODELS = {"linear": "linear model", "logistic": "logistic model"}
#: Outcome models that are not said.
_USUAL = ("", "linear")
ERRORS = {
    "robust": "robust to unequal variances (HC1)",
    "hc2": "robust to unequal variances (HC2)",
    "hc3": "robust to unequal variances (HC3)",
    "cluster": "clustered",
    "cr2": "clustered (CR2)",
    "cr3": "clustered (CR3)",
    "two_way": "clustered",
    "pair": "clustered by matched set",
    "abadie_imbens": "Abadie-Imbens, for matching with replacement",
    "bootstrap": "cluster bootstrap that repeats design and estimate",
    "wild": "wild cluster bootstrap",
    "randomisation": "randomisation of the treatment",
    "placebo": "the spread of effects on untreated units",
    "permutation": "rank among effects on untreated units",
    "jackknife": "jackknife over units, weights held",
    "neighbours": "by nearest neighbours in the running variable",
    # Of other packages' models.
    "iid": "one variance for all",
    "hc0": "robust to unequal variances (HC0)",
    "hetero": "robust to unequal variances",
    "crv1": "clustered (CRV1)",
    "crv3": "clustered (CRV3)",
    # Of published effects.
    "significance": "at most what its significance allows; none was published",
    "published_design": "of the design as far as it was published",
}
#: What stands between errors and their clusters; "by" but for those named.
_OVER = {"bootstrap": ", over", "wild": ", over", "randomisation": " over"}
#: What errors count as estimated, where they do; of the weights, but for those named.
_STACKED = {"abadie_imbens": "propensity score was"}
ESTIMANDS = {
    "ATT": "the average effect on the treated",
    "ATE": "the average effect on all units",
    "ATC": "the average effect on the comparison units, had they been treated",
    "ATO": "the average effect where both arms overlap",
    "SRD": "the average effect on units at the cutoff (sharp)",
    "FRD": "the average effect on units at the cutoff whom it moves to the programme (fuzzy)",
    "APE": "the average difference for one more unit of dose",
}
#: Estimands of another package's model, where {term} is the coefficient's name, and of a dose.
COEFFICIENTS = {
    "coefficient": "coefficient of {term}",
    "dose_slope": "the difference that goes with one more unit of {term}",
    "coefficient_at_zero": "coefficient of {term}, where what it interacts with is 0",
}
#: Where a period stands in an event study.
WINDOWS = {
    "earlier": "earlier, in no window",
    "pre": "before, tested",
    "base": "compared with",
    "partly": "partly treated, in no window",
    "post": "after, averaged",
    "later": "later, in no window",
}
#: What a coefficient is, where it is no difference in the outcome's own unit.
SCALES = {
    "log_odds_ratio": "log odds ratio",
    "probit_index": "probit index",
    "log_ratio_of_rates": "log ratio of rates",
    "log_ratio_of_means": "log ratio of means",
}
#: Why an effect or its interval is missing; the numbers are those of `inference.rules`.
STATUSES = {
    "no_variation": "Not estimable: the outcome is the same for all who are compared.",
    "not_fitted": "Not estimable: the outcome's logistic model does not settle in one arm.",
    "not_in_panel": "Not estimable: the outcome is not seen where the design compares.",
    "few_units": "No interval: too few {who} in an arm for an error of its own (at least "
    "{fewest_units} are needed, more for some errors).",
    "few_clusters": "No interval: too few clusters hold treated or comparison {who} to say how "
    "clusters vary (at least {fewest_clusters} of each are needed, {enough_to_draw} for a "
    "bootstrap or two clusterings).",
    "few_events": "No interval: fewer than {fewest_events} {who} of an arm would have the rarer "
    "values of the outcome, were both arms alike.",
    "determined": "No interval: the covariates determine the outcome; nothing is left to chance.",
    "no_error": "No interval: the model gives no error.",
    "few_support": "No interval: the running variable has too few values within the bandwidth on a "
    "side of the cutoff (at least {fewest_support} are needed for a local polynomial's own error, "
    "2 for one honest to a bound on curvature).",
    "weak_first_stage": "No interval: the cutoff moves too few {who} to the programme for a ratio "
    "(its F is below {fewest_f}).",
    "no_treated": "Not estimable: none of the group is seen in both periods.",
    "no_comparison": "Not estimable: nobody to compare the group with is seen in both periods.",
    "no_overlap": "Not estimable: the covariates tell some of the group from all they are compared "
    "with.",
    "collinear": "Not estimable: among those compared with, some covariates determine others.",
    "reference": "The period that others are set against: 0 by construction.",
}
#: Forms of the error that small numbers call for.
SMALL_SAMPLES = {
    "hc2": "fewer than {enough_units} {who} in an arm: HC2 and Satterthwaite's t",
    "hc3": "HC3 and Satterthwaite's t",
    "cr2": "fewer than {enough_clusters} clusters hold an arm's {who}: CR2 and Satterthwaite's t",
    "cr3": "CR3 and Satterthwaite's t",
    "score": "few {who} with the outcome: Newcombe's interval by score",
}
#: What is held at the level, by correction.
CORRECTIONS = {
    "none": "none",
    "holm": "Holm: the chance of any false finding, whatever the dependence",
    "benjamini_hochberg": "Benjamini-Hochberg: the expected share of false findings among findings",
    "romano_wolf": "Romano-Wolf step-down: the chance of any false finding, given how the "
    "estimates vary together",
}
#: What became of a unit in a design.
FATES = {
    "kept": "kept",
    "not_needed": "not needed: others were nearer",
    "outside_caliper": "no match within the caliper",
    "none_left": "no match left",
    "off_support": "outside the common support",
    "lone_stratum": "nobody to compare with in its stratum",
    "trimmed": "trimmed: an extreme weight",
    "not_asked": "not in the sample asked for",
}
VERDICTS = {"balanced": "balanced", "partly": "partly", "not_balanced": "not balanced"}
#: Checks of a comparison, and what each asks.
CHECKS = {
    "placebo_outcomes": "placebo outcomes",
    "placebo_index_date": "placebo index date",
    "trend_before": "trend before",
    "negative_controls": "negative controls",
    "authorities": "without each authority",
    "contamination": "contamination",
}
CHECK_QUESTIONS = {
    "placebo_outcomes": "Is there an “effect” on the year before the one that the design knows?",
    "placebo_index_date": "Is there an “effect” of a date before anybody joined?",
    "trend_before": "Did both groups change alike within the year before?",
    "negative_controls": "Is there an “effect” on what the programme cannot move?",
    "authorities": "Does any conclusion turn without one of the authorities?",
    "contamination": "How far could help for comparison families have diluted the effects?",
}
AT_ONCE = "All outcomes together, for the worse, in standard deviations"
CHECK_VERDICTS = {"passed": "passed", "failed": "FAILED", "cannot_be_judged": "cannot be judged"}
#: Why a check has its verdict; the numbers are those of its row.
CHECK_REASONS = {
    "differs": "the groups differ where they should not, by more than chance; of {tests} outcomes",
    "differs_earlier": "they differed before; so do families chosen on what was recorded since",
    "alike": "no difference beyond chance in the {tests} outcomes that it can take, and one of "
    "{matters:g} standard deviations in all of them would have shown",
    "no_power": "no difference beyond chance, but {matters:g} deviations would not have shown",
    "less_than_half": "no difference beyond chance, but half the effect found would not have shown",
    "no_outcome": "no outcome in these records is out of the programme's reach, or known for this",
    "no_records": "too few families have records that reach back so far",
    "not_repeatable": "the design cannot be made again on other families or covariates",
    "not_possible": "the design is not possible without what this check leaves out",
    "not_estimable": "no outcome has an estimate with an error",
    "too_few": "fewer than {fewest} families would tell",
    "no_authorities": "the study does not say which authority a family is of",
    "few_authorities": "only {tests} authorities are large enough, and {authorities} are needed",
    "turns": "a conclusion hangs on one of {tests} authorities, as in 1 of 6 sound studies",
    "holds": "no conclusion turns without any one of the {tests} authorities large enough for it",
    "diluted": "{share} of the comparison may have been helped otherwise and {left_out} were "
    "treated within the horizon; an effect could lie outside its interval",
    "not_diluted": "{share} of the comparison may have been helped otherwise and {left_out} were "
    "treated within the horizon; no effect would leave its interval. Help that is in no record "
    "is not seen",
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
POOLINGS = {"reml": "restricted maximum likelihood", "paule_mandel": "Paule and Mandel"}
PRIORS = {"half_cauchy": "half-Cauchy", "half_normal": "half-normal", "flat": "flat"}
#: Above: estimators of variance between areas, priors of its root. Here: how trends may differ.
RESTRICTIONS = {
    "relative_magnitudes": "Steps after, as a multiple of the largest before",
    "smoothness": "Bend of the difference in trend, a period",
}
#: Why an outcome is not in an appraisal.
NOT_VALUED = {
    "too_few": "too few to show",
    "not_estimated": "not estimated",
    "no_unit_cost": "no unit cost",
    "counted_elsewhere": "counted elsewhere",
    "not_in_account": "not in the account",
}
#: Accounts of an appraisal: whose, and how benefits of at least the costs (named, after) are said.
ACCOUNTS = {"fiscal": "the public purse", "social": "everybody"}
PAYS = {"fiscal": "pays for itself", "social": "is worth more than it costs"}
PAYS_FOR = {"fiscal": "pays for", "social": "is worth"}
PAY_FOR = {"fiscal": "pay for", "social": "be worth"}
#: What a register says of a plan.
REGISTRATIONS = {
    "registered": "registered as version {version} on {date} in line {line}, unchanged since",
    "not_registered": "not registered: nothing shows that it was written before outcomes were read",
    "broken_register": "not registered: line {line} of the register does not follow from the line "
    "before it, so nothing shows that the plan was written before outcomes were read",
}
#: When the outcomes of a cohort were opened, where that was not under the registered plan.
OPENINGS = {
    "open_before": "Outcomes were open before the plan was registered.",
    "open_without": "Nothing kept outcomes closed until the plan was registered: the cohort, or "
    "another of the same records before it, was not given the plan.",
}
#: Packages whose models are told as "package.model".
PACKAGES = ("statsmodels", "pyfixest")
#: Kinds of model of other packages, by class or method.
MODELS = {
    "OLS": "ordinary least squares",
    "WLS": "weighted least squares",
    "GLS": "generalised least squares",
    "GLM": "generalised linear model",
    "feols": "least squares",
}


def plain(key: Any) -> str:
    """Return a key that has no words of its own as text: of a user's making, or a column's name.

    Examples
    --------
    >>> plain("local_authority"), plain("")
    ('local authority', 'not said')
    """
    return str(key).replace("_", " ") if key else NOT_SAID


def words(names: Mapping[str, str], key: Any) -> str:
    """Return a key in words, a user's own key as it is.

    Examples
    --------
    >>> words(DESIGNS, "entropy"), words(DESIGNS, "my_own")
    ('entropy balancing', 'my own')
    """
    return names[key] if key in names else plain(key)


def capital(text: str) -> str:
    """Return a text with a capital letter first, the rest as it is.

    Examples
    --------
    >>> capital("matching on Mahalanobis distance")
    'Matching on Mahalanobis distance'
    """
    return text[:1].upper() + text[1:]


def method_words(method: str, outcome_model: str = "") -> str:
    """Return an estimator in words; another package's as "package.model".

    Examples
    --------
    >>> method_words("adjusted", "linear"), method_words("statsmodels.WLS")
    ('regression-adjusted (g-computation)', 'weighted least squares (statsmodels WLS)')
    >>> method_words("adjusted", "logistic")
    'regression-adjusted (g-computation), logistic model'
    """
    package, _, model = method.partition(".")
    if package in PACKAGES:
        family, known, link = outcome_model.partition(".")
        more = f", {family} family, {link} link" if known else ""
        return f"{MODELS.get(model, 'regression')}{more} ({package} {model})"
    text = words(METHODS, method)
    return text if outcome_model in _USUAL else f"{text}, {words(OUTCOME_MODELS, outcome_model)}"


def errors_words(errors: str, cluster: str = "", stacked: Any = False) -> str:
    """Return in words how errors were made.

    Parameters
    ----------
    errors : str
        A key of `ERRORS`.
    cluster : str
        Clustering columns, as from `cluster_key`.
    stacked : bool
        Whether they count that weights, or a score, were estimated; missing where not known.

    Examples
    --------
    >>> errors_words("cluster", "local_authority"), errors_words("two_way", "pair+unit")
    ('clustered by local authority', 'clustered by pair and unit')
    >>> errors_words("robust", stacked=True)
    'robust to unequal variances (HC1); counting that the weights were estimated'
    """
    text = words(ERRORS, errors)
    if cluster:
        named = " and ".join(plain(name) for name in cluster.split(AND))
        text += f"{_OVER.get(errors, ' by')} {named}"
    if not is_missing(stacked) and stacked:
        text += f"; counting that the {_STACKED.get(errors, 'weights were')} estimated"
    return text


def cluster_key(columns: Iterable[str]) -> str:
    """Return clustering columns as one key.

    Examples
    --------
    >>> cluster_key(["pair", "unit"]), cluster_key([])
    ('pair+unit', '')
    """
    return AND.join(columns)


def estimand_words(estimand: str, term: str = "", scale: str = "") -> str:
    """Return whose effect it is, in words; of another package's model, which coefficient.

    Examples
    --------
    >>> estimand_words("ATT")
    'ATT, the average effect on the treated'
    >>> estimand_words("coefficient", "treated", "log_odds_ratio")
    'coefficient of treated, a log odds ratio'
    """
    if estimand in COEFFICIENTS:
        text = COEFFICIENTS[estimand].format(term=term)
        return f"{text}, a {scale_words(scale)}" if scale else text
    return f"{estimand}, {ESTIMANDS[estimand]}" if estimand in ESTIMANDS else estimand or NOT_SAID


def scale_words(scale: str) -> str:
    """Return what a coefficient is; of a scale without words, that it is one.

    Examples
    --------
    >>> scale_words("probit_index"), scale_words("CLogLog")
    ('probit index', 'difference on the CLogLog scale')
    """
    return SCALES.get(scale, f"difference on the {scale} scale")


def registration_words(state: str, version: str, date: str, line: int) -> str:
    """Return what a register says of a plan, as it may be said: no more than is checked.

    Parameters
    ----------
    state : str
        A key of `REGISTRATIONS`.
    version, date : str
        Of the plan; the day of its line.
    line : int
        Of the register.

    Examples
    --------
    >>> registration_words("registered", "1.2", "2026-11-29", 1)
    'registered as version 1.2 on 2026-11-29 in line 1, unchanged since'
    """
    return REGISTRATIONS[state].format(version=version, date=date, line=line)


def design_words(design: str, settings: Mapping[str, Any], strata: Sequence[str] = ()) -> str:
    """Return a design with its main settings, as a heading.

    Parameters
    ----------
    design : str
        A key of `DESIGNS`, or a text of the user's own.
    settings : mapping
        Of the design; `ratio`, `replace`, `caliper`, `caliper_unit`, `calipers` and `within` are
        said where they are there.
    strata : sequence of str
        Columns that units were kept within.

    Examples
    --------
    >>> design_words("nearest", {"ratio": 2, "replace": False, "caliper": 0.2,
    ...                          "caliper_unit": "sd"}, ["region"])
    'Nearest-neighbour matching, 2 to 1, without replacement, caliper 0.2 SD, within region'
    """
    if design not in DESIGNS:
        return design
    parts = [capital(DESIGNS[design])]
    unit = " SD" if settings.get("caliper_unit") == "sd" else ""
    if "ratio" in settings:
        parts.append(f"{settings['ratio']} to 1")
    if "replace" in settings:
        parts.append(f"{'with' if settings['replace'] else 'without'} replacement")
    if settings.get("caliper") is not None:
        parts.append(f"caliper {settings['caliper']:g}{unit}")
    for name, width in dict(settings.get("calipers") or {}).items():
        parts.append(f"{name} within {width:g}{unit}")
    if strata and settings.get("within", "strata") == "strata":
        parts.append(f"within {' and '.join(strata)}")
    return ", ".join(parts)


#: Sources of linked records by their tables.
SOURCES = {
    "school_terms": "School: absence and exclusions",
    "offences": "Police and courts: offences",
    "asb_incidents": "Anti-social behaviour",
    "benefit_spells": "Benefits",
    "employment_spells": "Employment",
    "social_care_episodes": "Children's social care",
    "hospital_episodes": "Hospitals",
    "domestic_abuse_incidents": "Domestic abuse",
}
