"""Threats to a comparison that no test of nothing shows: one authority, contamination."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # scipy.stats takes a second to import

from tfeval.display.tables import THRESHOLD
from tfeval.errors import TfevalError
from tfeval.impact.diagnostics.placebos import CANNOT, FAILED, PASSED, Asked, numbers_of, tests_of
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.effects.multiple import stepped
from tfeval.impact.means.estimates import estimates_of
from tfeval.impact.means.influence import sums_by
from tfeval.impact.means.methods import METHODS
from tfeval.impact.means.outcomes import aligned, populations
from tfeval.impact.study.study import study

#: Authorities are left out one by one only where so many are compared.
FEWEST_AUTHORITIES = 12
#: Of an authority's families, the share treated from which those left may have been helped too.
NEARLY_ALL = 0.9

# 5. Without each authority.


@dataclass(frozen=True, eq=False)
class Turned:
    """What leaving one authority out does to the effects."""

    #: With all authorities, columns of a table of effects; and of each effect `least` and
    #: `greatest`, the range without one of them, and `turns`: whether any one turns its sign or
    #: whether it can be told from none.
    effects: pd.DataFrame
    #: authorities, made_again: how many can be left out, and for how many of them the design was
    #: made again: those whose families weigh most on the effects.
    authorities: int = 0
    made_again: int = 0
    why: str = ""  # why nothing was done; empty where something was


def without_each(request: Asked, effects: pd.DataFrame, most: int = 10) -> Turned:
    """Make the design again without each of the authorities that weigh most on its effects.

    Parameters
    ----------
    effects : DataFrame
        As from `estimate`, of the outcomes asked.
    most : int, default 10
        For how many the design is made again.

    Notes
    -----
    Authorities are ordered by the largest sum of their families' influences on an effect, over
    its error; the design is made again, as if their families were not in the sample, for the
    first. Those with fewer than ten families of an arm are put with others until there are ten, so
    that no difference tells of fewer. An effect can be told from none by Holm over the outcomes,
    and cannot where it could not be told even alone; what lies between does not turn. Without that
    room a conclusion turned in a quarter of simulated studies in which nothing was wrong.
    """
    design, sample = request.design, request.design.study
    if design.again is None:
        return Turned(effects, why="not_repeatable")
    if not sample.clusters:
        return Turned(effects, why="no_authorities")
    groups = together(sample.cluster(), sample.treated)
    count = int(groups.max()) + 1
    if count < FEWEST_AUTHORITIES:
        return Turned(effects, count, why="few_authorities")
    outcomes = request.families.outcomes(request.months).loc[sample.index]
    outcomes = outcomes[list(effects["outcome"])]
    outcomes.attrs = {}
    numbers = aligned(sample, outcomes).levelled()
    means = METHODS[request.method].means("linear", False)
    estimates = estimates_of(design, numbers, populations(design, None), means, stacked=False)
    sums = np.abs(sums_by(estimates.difference.psi, groups))
    error = effects["std_error"].to_numpy(dtype=float)
    weight = np.nan_to_num(sums / np.where(error > 0, error, np.nan)).max(axis=1)
    first = np.argsort(-weight, kind="stable")[:most]
    rows, made = [], 0
    for place in first:
        sampling = np.where(groups == place, 0.0, sample.sampling)
        try:
            again = estimate(
                design.again(replace(sample, weight=sampling)), outcomes, method=request.method
            )
        except TfevalError:
            continue
        made += 1
        rows.append(_conclusions(again.to_frame()))
    if not rows:
        return Turned(effects, count, why="not_possible")
    return Turned(_turned(effects, rows), count, made)


def together(codes: np.ndarray, treated: np.ndarray, fewest: int = THRESHOLD) -> np.ndarray:
    """Return codes of clusters, small ones put together until each has enough units of both arms.

    Examples
    --------
    >>> codes, treated = np.array([0, 0, 1, 1, 2, 2]), np.array([True, False] * 3)
    >>> together(codes, treated, fewest=2).tolist()
    [0, 0, 0, 0, 0, 0]
    >>> together(codes, treated, fewest=1).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    size = int(codes.max()) + 1
    counts = np.column_stack(
        [np.bincount(codes[arm], minlength=size) for arm in (treated, ~treated)]
    )
    place, own, new = 0, np.zeros(2, dtype=int), np.zeros(size, dtype=int)
    for code in range(size):
        new[code] = place
        own += counts[code]
        if own.min() >= fewest:
            place, own = place + 1, np.zeros(2, dtype=int)
    # What is left over at the end goes with the last that has enough.
    return np.minimum(new, max(place - 1, 0))[codes]


def _conclusions(frame: pd.DataFrame) -> pd.DataFrame:
    """Return each effect's estimate, and which way it can be told from none: -1, 0 or 1.

    Missing where it hangs on how many outcomes are counted: what is so near turns by chance alone.
    """
    one = np.nan_to_num(frame["p_value"].to_numpy(dtype=float), nan=1.0)
    p = np.nan_to_num(stepped(frame["p_value"].to_numpy(dtype=float), "holm"), nan=1.0)
    estimate_ = frame["estimate"].to_numpy(dtype=float)
    says = np.where(p < 0.05, np.sign(estimate_), np.where(one < 0.05, np.nan, 0.0))
    said = pd.DataFrame({"estimate": estimate_, "says": says})
    return said.set_index(frame["outcome"].to_numpy())


def _turned(effects: pd.DataFrame, rows: list[pd.DataFrame]) -> pd.DataFrame:
    own = _conclusions(effects)
    values = pd.concat([one["estimate"] for one in rows], axis=1).reindex(own.index)
    says = pd.concat([one["says"] for one in rows], axis=1).reindex(own.index)
    known = own["estimate"].notna().to_numpy()
    clear = says.notna() & own["says"].notna().to_numpy()[:, None]
    turns = (says.ne(own["says"], axis=0) & clear).any(axis=1).to_numpy() & known
    return effects.assign(
        least=values.min(axis=1).to_numpy(), greatest=values.max(axis=1).to_numpy(), turns=turns
    )


# 6. Contamination: comparison families that were helped all the same.


@dataclass(frozen=True, eq=False)
class Contaminated:
    """How far help that comparison families had could have diluted the effects."""

    #: Columns of a table of effects, and of each effect `least` and `greatest`: the bounds.
    effects: pd.DataFrame
    #: Share of the comparison's weight attached in another way than the treatment asks, or of an
    #: authority that treated nearly all.
    helped: float
    #: Share of the comparison families on their index dates that were treated within the horizon,
    #: and so are not followed.
    censored: float
    few: tuple[bool, bool]  # whether either share is of fewer than ten families, none aside


def contamination(request: Asked, effects: pd.DataFrame) -> Contaminated:
    """Bound the effects for comparison families that were helped within the horizon.

    Parameters
    ----------
    effects : DataFrame
        As from `estimate`, of the outcomes asked.

    Notes
    -----
    Two things are worked out. If a share c of the comparison had help as good as the programme's,
    an effect seen is 1 - c of the effect: it is divided by that. And comparison families treated
    within the horizon, whom the design leaves out, are kept, whatever came; their time on the
    programme dilutes the effect in the same way. Help that the records do not show is in neither.
    """
    sample, design = request.design.study, request.design
    frame = request.families.to_pandas()
    ends = frame["index_on"].astype("datetime64[ns]") + pd.DateOffset(months=request.months)
    attached = request.records.rows("families").select("family_id", "attached_on").to_pandas()
    first = pd.to_datetime(attached["attached_on"]).groupby(attached["family_id"]).min()
    in_any_way = (frame["family_id"].map(first) < ends).to_numpy()
    treated = frame["treated"].to_numpy() == 1
    area = frame["local_authority"]
    known = pd.Series(treated).groupby([area, frame["family_id"]]).any()
    share = known.groupby(level=0).mean()
    saturated = (area.map(share) >= NEARLY_ALL).to_numpy()
    rows = frame.index.get_indexer(sample.index)
    weight = np.where(sample.treated, 0.0, design.weights)
    helped = (in_any_way | saturated)[rows]
    part = float(weight @ helped / weight.sum())
    begun = request.families.treated_on()
    soon = ((begun < ends) & ~treated).to_numpy()
    few = [0 < int(n) < THRESHOLD for n in ((helped & (weight > 0)).sum(), soon.sum())]
    length = (ends - frame["index_on"].astype("datetime64[ns]")).dt.days
    time = ((ends - begun).dt.days / length).clip(0, 1).fillna(0.0).to_numpy() * soon
    seen = effects["estimate"].to_numpy(dtype=float)
    undiluted = seen / (1 - part) if part < 1 else np.full(len(seen), np.nan)
    ends_of = np.vstack([seen, undiluted, _kept(request, list(effects["outcome"]), time)])
    bounds = {"least": np.fmin.reduce(ends_of), "greatest": np.fmax.reduce(ends_of)}
    censored = float(soon.sum() / max(np.count_nonzero(~treated), 1))
    return Contaminated(effects.assign(**bounds), part, censored, (few[0], few[1]))


def _kept(request: Asked, outcomes: list[str], time: np.ndarray) -> np.ndarray:
    """Return the effects with comparison families kept when treated, over the time they were not.

    Parameters
    ----------
    time : ndarray of float, shape (units of the cohort,)
        Share of the horizon that a comparison family was on the programme itself.
    """
    sample = request.design.study
    unknown = np.full(len(outcomes), np.nan)
    if request.design.again is None or sample.weight is not None:
        return unknown
    sources = dict.fromkeys([*(one.source for one in sample.covariates.columns), *sample.left_out])
    names = [name for name in sources if name in request.families.covariates]
    try:
        whole = study(
            request.families, covariates=names, cluster=list(sample.clusters) or None,
            strata=list(sample.strata_names) or None,
        )  # fmt: skip
        design = request.design.again(whole)
        after = pd.DataFrame(request.around["after"])
        tests = tests_of("", design, after, request.method, outcomes).set_index("outcome")
    except TfevalError:
        return unknown
    weight = np.where(whole.treated, 0.0, design.weights)
    treated_too = float(weight @ time / weight.sum())
    effect = tests["estimate"].reindex(outcomes).to_numpy(dtype=float)
    return effect / (1 - treated_too) if treated_too < 1 else unknown


def judged_turned(check: Turned) -> dict[str, Any]:
    """Return the row of the check without each authority."""
    row: dict[str, Any] = {"check": "authorities", "tests": check.authorities, "hidden": False}
    if check.why:
        return {**row, "outcome": "", "verdict": CANNOT, "reason": check.why}
    frame = check.effects
    moved = np.fmax(frame["greatest"] - frame["estimate"], frame["estimate"] - frame["least"])
    most = (moved / frame["std_error"]).where(frame["std_error"] > 0)
    chosen = most.where(frame["turns"]) if frame["turns"].any() else most
    if chosen.isna().all():
        return {**row, "outcome": "", "verdict": CANNOT, "reason": "not_estimable"}
    one = frame.loc[[chosen.idxmax()]]
    # With all authorities and without each: pairs are drawn anew, so all's may lie outside.
    every = one[["estimate", "least", "greatest"]].iloc[0].astype(float)
    ends = {"conf_low": float(every.min()), "conf_high": float(every.max())}
    turns = bool(frame["turns"].any())
    return {**row, **numbers_of(one), **ends, "verdict": FAILED if turns else PASSED,
            "reason": "turns" if turns else "holds"}  # fmt: skip


def judged_bounds(check: Contaminated) -> dict[str, Any]:
    """Return the row of the check of contamination."""
    frame = check.effects
    error = frame["std_error"].to_numpy(dtype=float)
    freedom = np.minimum(frame["freedom"].fillna(1e9).to_numpy(dtype=float), 1e9)
    own = frame["estimate"].to_numpy(dtype=float)
    # A bound counts as outside where it leaves the interval, widened for how many there are.
    reach = stdtrit(freedom, 1 - 0.025 / max(int(np.isfinite(error).sum()), 1)) * error
    far = np.fmax(frame["greatest"] - own, own - frame["least"]) / reach
    row: dict[str, Any] = {"check": "contamination", "share": check.helped, "hidden": False,
                           "left_out": check.censored, "tests": int(far.notna().sum())}  # fmt: skip
    if any(check.few):
        return {**row, "outcome": "", "verdict": CANNOT, "reason": "too_few"}
    if far.isna().all():
        return {**row, "outcome": "", "verdict": CANNOT, "reason": "not_estimable"}
    one = frame.loc[[far.idxmax()]]
    ends = {"conf_low": float(one["least"].iloc[0]), "conf_high": float(one["greatest"].iloc[0])}
    diluted = bool(far.max() > 1) or check.helped >= 1
    return {**row, **numbers_of(one), **ends, "verdict": FAILED if diluted else PASSED,
            "reason": "diluted" if diluted else "not_diluted"}  # fmt: skip
