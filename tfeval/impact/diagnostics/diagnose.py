"""Every check of a comparison in one result, its verdicts, and what confidence they leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.display import check_words
from tfeval.display.rich import Rich, Tabled
from tfeval.display.tables import Table
from tfeval.errors import DataError, ParameterError, check_choice, suggest
from tfeval.impact.balance.tables import BALANCED, NOT_BALANCED
from tfeval.impact.design.design import Design
from tfeval.impact.diagnostics import left_out, placebos, threats, verdicts
from tfeval.impact.diagnostics.check_tables import checks_table, quarters_table
from tfeval.impact.diagnostics.placebos import CANNOT, FAILED, OF_NONE, TOGETHER, Asked
from tfeval.impact.diagnostics.verdicts import MATTERS
from tfeval.impact.effects.words import hidden_rows, label_of
from tfeval.impact.means.methods import METHODS
from tfeval.impact.sensitivity.regression import Sensitivity
from tfeval.programme.outcomes import outcome_words, reported_outcomes
from tfeval.records.store import Records

if TYPE_CHECKING:
    from tfeval.display.figures import Chart

_SHIFTS = (6, 12)
#: Columns of `Diagnostics.frame`.
COLUMNS = ("check", "outcome", "estimate", "std_error", "conf_low", "conf_high", "p_value",
           "p_adjusted", "margin", "reach", "detectable", "detectable_single", "tests", "share",
           "left_out", "effective", "largest", "n_treated", "n_comparison", "hidden", "verdict",
           "reason")  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Diagnostics(Tabled):
    """Checks of a design that could come out wrong, and what came of each. Made by `diagnose`.

    Attributes
    ----------
    frame : DataFrame
        One row a check: `check` (its key); `outcome` of which its numbers are, the one that speaks
        most against the design; `estimate`, `std_error`, `conf_low`, `conf_high` (of
        "authorities" and "contamination" the ends are the range and the bounds, not an interval);
        `p_value` of the check, which counts how many outcomes it looked at, and `p_adjusted` by
        Holm over the checks of no effect; in standard deviations `margin`, from what size on a
        shift matters, `reach`, the largest that its interval does not rule out, `detectable`, the
        placebo effect on all outcomes together that it would have told from none, and
        `detectable_single`, that on one; `tests`, how many outcomes or authorities; `share` of
        the comparison that may have been helped, or outside the overlap; `left_out`, of the
        comparison, treated within the horizon; `effective`, the share of its units as which a
        group counts, and `largest`, what one carries of its weight; `n_treated`, `n_comparison`;
        `hidden`, whether few families hide the numbers; `verdict` ("passed", "failed",
        "cannot_be_judged") and its `reason`, a key.
    tests : DataFrame
        One row a check of no effect and outcome, with its own estimate, error and p-value; that
        named "together" is the mean of all, for the worse and in standard deviations.
    quarters : DataFrame
        The event study: one row an outcome and quarter, both arms' weighted means and their
        difference. `month` is that at which the quarter begins, 0 the index date.
    settings : mapping
        `labels`, `units`, `matters`, `level`, `design`, `months`, `shift`.
    simulated : bool
        Whether the records are simulated.
    """

    frame: pd.DataFrame
    tests: pd.DataFrame
    quarters: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool = False

    def to_frame(self) -> pd.DataFrame:
        """Return one row a check: exact, for computing."""
        return self.frame.copy()

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each check, by its key."""
        return dict(zip(self.frame["check"], self.frame["verdict"], strict=True))

    def table(self) -> Table:
        """Return the checks as a table for readers, small numbers hidden."""
        return checks_table(self.frame, self.settings, self.simulated)

    def quarters_table(self, outcome: str | None = None) -> Table:
        """Return both arms by quarter, of one outcome or of all, small numbers hidden."""
        rows = self.quarters if outcome is None else self._of(outcome)
        return quarters_table(rows, self.settings, self.simulated)

    def plot(self, outcome: str | None = None) -> Chart:
        """Return the event study of one outcome, by default the first that may be shown.

        Raises
        ------
        DataError
            If it may not be shown, or none may.
        """
        from tfeval.display.interval_charts import event_chart  # noqa: PLC0415

        rows = self._shown(outcome)
        name = str(rows["outcome"].iloc[0])
        label = label_of(name, self.settings.get("long_labels", {}))
        apart = (rows["conf_low"] > 0) | (rows["conf_high"] < 0)
        before = rows["month"] < 0
        counts = [f"{int((apart & part).sum())} of {int(part.sum())} quarters {when}"
                for part, when in ((before, "before"), (~before, "after"))]  # fmt: skip
        return event_chart(
            rows["month"].to_numpy(dtype=float) + placebos.QUARTER / 2,
            rows["mean_treated"], rows["mean_comparison"],
            rows["mean_comparison"] + rows["conf_low"] - rows["estimate"],
            rows["mean_comparison"] + rows["conf_high"] - rows["estimate"],
            title=("Simulated records: the" if self.simulated else "The")
            + f" arms differ in {counts[0]} and {counts[1]} the index date",
            subtitle=f"{label_of(name, self.settings.get('labels', {}))} by quarter",
            alt=f"Two lines over the quarters around the index date, of families on the programme "
            f"and of those they are compared with, and a band around the second. The first lies "
            f"outside the band in {counts[0]} the index date and in {counts[1]}.",
            y_label=label,
        )  # fmt: skip

    def _of(self, outcome: str) -> pd.DataFrame:
        known = list(dict.fromkeys(self.quarters["outcome"]))
        if outcome not in known:
            raise ParameterError(f"There is no event study of {outcome}. {suggest(outcome, known)}")
        return self.quarters[self.quarters["outcome"] == outcome]

    def _shown(self, outcome: str | None) -> pd.DataFrame:
        names = dict.fromkeys(self.quarters["outcome"]) if outcome is None else [outcome]
        for name in names:
            rows = self._of(str(name))
            known = rows["std_error"].notna().all() and not hidden_rows(rows).any()
            if known and len(rows) > 1:
                return rows
        raise DataError("No event study can be drawn: too few families in a quarter to show.")


def diagnose(
    design: Design,
    families: Cohort,
    records: Records,
    *,
    months: int = 12,
    method: str = "adjusted",
    outcomes: Iterable[str] | None = None,
    cannot_move: Iterable[str] = (),
    shift: int = 12,
    matters: float = MATTERS,
) -> Diagnostics:
    """Put a design to checks that it could fail: placebos, time, authorities, help, overlap, loss.

    Parameters
    ----------
    design : Design
        As from `match` or `weight`, of a study of the cohort.
    families : Cohort
        Of whom the design is.
    records : Records
        Those that the cohort was made from.
    months : int, default 12
        After the index date.
    method : str, default "adjusted"
        Of `estimate`.
    outcomes : iterable of str, optional
        Whose effects are checked; by default all that chapters show and the records hold.
    cannot_move : iterable of str, optional
        Outcomes of the cohort that the programme cannot move: negative controls. None by default.
    shift : {12, 6}
        Months by which the placebo index date lies before the real one.
    matters : float, default 0.1
        An effect that anybody would speak of, in standard deviations of outcomes. A placebo effect
        matters from half of it on, or from half of the effect found on the same outcomes, where
        that is less.

    Returns
    -------
    Diagnostics

    Raises
    ------
    ParameterError
        If an outcome, a method or a shift is unknown, `matters` is not above 0, or the design is
        none of a study.
    DataError
        If nothing is known of any outcome.

    Notes
    -----
    Checks of no effect look at many outcomes: half the level is for their mean in standard
    deviations, half for the smallest p-value of one, times their number (Bonferroni); over the
    checks p-values are adjusted by Holm, so that none of a good design's checks fails in at least
    95 of 100 studies. A shift that is told from none fails, unless it certainly does not matter: a
    check passes where, and only where, the 95% interval of all outcomes together lies inside the
    margin (and that of each outcome told from none). The margin is relative to what is reported:
    twice the shift must make up neither the effect found nor, where none is told from none, one of
    `matters`. What is neither told from none nor inside cannot be judged, since the check could
    not have seen it, and never counts as passed. `verdicts` beside this module says why. One
    outcome alone may be off by more. `tests/coverage/diagnostics.csv` says how often each check
    comes out how where nothing is wrong, and where something is.

    Without each authority no conclusion may turn. With help that comparison families had counted,
    no bound may lie outside the effect's own interval, widened for the number of outcomes. Overlap
    fails where a tenth of those whom the effect is about have nobody like them in the other group,
    or hardly anybody, or weights rest on few; `left_out` beside this module has its thresholds.
    Censoring fails where comparison families treated within the horizon had differed before that,
    given covariates, which is one of the checks of no effect; or where weights that stand for them
    do not.

    A check that fails says that the design leaves something out, not what, nor that the effect is
    none. A design can pass every check and be wrong.

    References
    ----------
    Imbens and Rubin (2015), Causal Inference for Statistics, Social, and Biomedical Sciences,
    chapter 21; Lipsitch, Tchetgen Tchetgen and Cohen (2010), Epidemiology 21(3); Holm (1979),
    Scandinavian Journal of Statistics 6(2); Hartman and Hidalgo (2018), American Journal of
    Political Science 62(4), equivalence and placebo tests; Rambachan and Roth (2023), Review of
    Economic Studies 90(5), relative magnitudes; Crump, Hotz, Imbens and Mitnik (2009), Biometrika
    96(1), and Austin (2011), Pharmaceutical Statistics 10(2), of overlap; Cole and Hernan (2008),
    American Journal of Epidemiology 168(6), of weights and censoring.

    Examples
    --------
    >>> import tfeval as tf
    >>> records = tf.simulate(families=2_000, seed=1).records
    >>> families = tf.cohort(records, phase="one")
    >>> compared = tf.weight(tf.study(families, months=12), "entropy")
    >>> found = diagnose(compared, families, records, outcomes=["out_of_work"])
    >>> found.to_frame()["check"].tolist()[:2]
    ['placebo_outcomes', 'placebo_index_date']
    >>> found.verdicts["negative_controls"]
    'cannot_be_judged'
    """
    names = _checked(design, families, months, method, outcomes)
    if shift not in _SHIFTS:
        raise ParameterError(f"shift is {' or '.join(map(str, _SHIFTS))} months, not {shift!r}.")
    if not matters > 0:
        raise ParameterError(
            f"matters is a number of standard deviations above 0, not {matters!r}."
        )
    frame = families.outcomes(months)
    controls = _known(cannot_move, frame, "cannot_move")
    names = [name for name in names if name not in controls]
    request = Asked(design, families, records, months, method, tuple(names), shift, tuple(controls))
    inside = frame.loc[design.study.index]
    effects = placebos.tests_of("", design, inside, method, names, True)
    margin = verdicts.margins(effects, matters)
    known = (effects["why"] == "") & (effects["outcome"] != TOGETHER)
    effects = effects[known].reset_index(drop=True)
    if effects.empty:
        raise DataError(f"No outcome over {months} months is known of enough families to check.")
    made = {
        "placebo_outcomes": placebos.placebo_outcomes(request),
        "placebo_index_date": placebos.placebo_index_date(request),
        "trend_before": placebos.trend_before(request),
        "negative_controls": placebos.negative_controls(request),
    }
    censored = left_out.censoring(request)
    p = verdicts.adjusted_p(made, {"censoring": left_out.p_of_censoring(censored)})
    rows = verdicts.judged(made, margin, p)
    rows.append(threats.judged_turned(threats.without_each(request, effects)))
    rows.append(threats.judged_bounds(threats.contamination(request, effects)))
    rows.append(left_out.judged_overlap(left_out.overlap(design)))
    rows.append(left_out.judged_censoring(
        censored, float(margin[TOGETHER]), float(p["p_adjusted"]["censoring"]),
        int(p["p_value"].notna().sum()),
    ))  # fmt: skip
    words = outcome_words([*names, *controls])
    words["labels"][TOGETHER] = check_words.AT_ONCE
    return Diagnostics(
        frame=pd.DataFrame(rows).reindex(columns=list(COLUMNS)),
        tests=pd.concat([one for one in made.values() if len(one)], ignore_index=True),
        quarters=placebos.event_study(request),
        settings={**words, "matters": matters, "design": design.title, "months": months,
                  "shift": shift},
        simulated=families.simulated,
    )  # fmt: skip


def _checked(
    design: object, families: Cohort, months: int, method: str, outcomes: Iterable[str] | None
) -> list[str]:
    if not isinstance(design, Design):
        raise ParameterError(
            "diagnose takes a design of a study: make one with match(study) or weight(study)."
        )
    check_choice("method", method, METHODS)
    frame = families.outcomes(months)
    if outcomes is None:
        return [name for name in reported_outcomes() if name in frame]
    return _known(outcomes, frame, "outcomes")


def _known(names: Iterable[str], frame: pd.DataFrame, setting: str) -> list[str]:
    given = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    for name in given:
        if name not in frame:
            raise ParameterError(
                f"{setting}: the cohort has no outcome {name}. {suggest(str(name), frame.columns)}"
            )
    return given


# What confidence balance, checks and sensitivity leave.

HIGH, MODERATE, LOW, NO = CONFIDENCES = ("high", "moderate", "low", "none")
#: What something unmeasured would have to be: as strong as no covariate, as one, or nothing to say.
BOUNDS = ("stronger_than_any", "like_a_covariate", "nothing_to_undo", "not_known")


@dataclass(frozen=True)
class Confidence(Rich):
    """How sure a comparison lets us be. Made by `confidence`.

    Attributes
    ----------
    level : {"high", "moderate", "low", "none"}
    failed, not_judged : tuple of str
        Checks, by key.
    balance : str
        The verdict on balance: never without the bound beside it.
    bound : str
        One of `BOUNDS`.
    e_value : float
        The risk ratio that something unmeasured would need with both treatment and outcome to
        undo the effect most easily undone; missing where none can be told from none.
    """

    level: str
    failed: tuple[str, ...]
    not_judged: tuple[str, ...]
    balance: str
    bound: str
    e_value: float = float("nan")


def confidence(
    balance: str, verdicts: Mapping[str, str], sensitivity: Sensitivity | None
) -> Confidence:
    """Return how sure a comparison lets us be: the one rule, and the only place that has it.

    Parameters
    ----------
    balance : {"balanced", "partly", "not_balanced"}
        Key of the verdict on balance.
    verdicts : mapping of str to str
        As of `Diagnostics`.
    sensitivity : Sensitivity, optional
        Of the effects that are read; None where it is not known.

    Returns
    -------
    Confidence
        None where the groups are not alike. Low where a check of no effect failed, whatever else,
        but for the placebo date, which asks more than the design needs. Moderate where that or
        another check failed, or one could not be judged, where balance is partial,
        or where something unmeasured like a covariate that was recorded would undo an effect, or
        nobody knows. High where nothing of that is so. That no outcome is a negative control
        speaks neither way.

    Examples
    --------
    >>> good = dict.fromkeys(OF_NONE, "passed")
    >>> confidence("balanced", {**good, "placebo_outcomes": "failed"}, None).level
    'low'
    >>> confidence("balanced", good, None).level
    'moderate'
    """
    bound, e_value = bound_of(sensitivity)
    failed = tuple(check for check, verdict in verdicts.items() if verdict == FAILED)
    optional = {"negative_controls"}
    unknown = tuple(check for check, verdict in verdicts.items()
                    if verdict == CANNOT and check not in optional)  # fmt: skip
    lacking = set(OF_NONE) - optional - set(verdicts)
    weak = bound not in ("stronger_than_any", "nothing_to_undo")
    level = HIGH
    if failed or unknown or lacking or weak or balance != BALANCED:
        level = MODERATE
    if set(failed) & set(OF_NONE) - {"placebo_index_date"}:
        level = LOW
    if balance == NOT_BALANCED:
        level = NO
    return Confidence(level, failed, unknown, balance, bound, e_value)


def bound_of(analysis: Sensitivity | None) -> tuple[str, float]:
    """Return how strong something unmeasured would have to be, as a key and an E-value."""
    if analysis is None:
        return "not_known", float("nan")
    frame = analysis.to_frame()[~hidden_rows(analysis.effects.frame)]
    clear = frame[(frame["conf_low"] > 0) | (frame["conf_high"] < 0)]
    if clear.empty:
        known = bool(frame["conf_low"].notna().any())
        return ("nothing_to_undo" if known else "not_known"), float("nan")
    e_value = float(clear["e_value_interval"].min())
    low, high = clear["benchmark_low"], clear["benchmark_high"]
    if (low.isna() | high.isna()).any():
        return "not_known", e_value
    undone = ((low <= 0) & (high >= 0)) | (clear["estimate"] * clear["benchmark_estimate"] <= 0)
    return ("like_a_covariate" if undone.any() else "stronger_than_any"), e_value
