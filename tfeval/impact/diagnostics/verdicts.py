"""Verdicts of checks of no effect: is a shift told from none, and could it be one that matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfeval.impact.balance.tables import THRESHOLDS
from tfeval.impact.diagnostics.placebos import CANNOT, FAILED, PASSED, TOGETHER, numbers_of
from tfeval.impact.effects.multiple import stepped
from tfeval.impact.effects.power import multiplier

#: An effect that anybody would speak of, in standard deviations: as large as the difference at
#: which balance is in doubt.
MATTERS = THRESHOLDS["smd"]
#: How many times a placebo effect what is reported must withstand: a bias after the index date
#: may be larger than what was seen before it (relative magnitudes, Rambachan and Roth 2023).
TIMES = 2.0
#: Of all checks of no effect together.
LEVEL = 0.05
#: The chance with which a check sees what it could have seen.
POWER = 0.8


def verdict_of(differs: bool, inside: bool) -> tuple[str, str]:
    """Return the verdict on a shift, and its reason: the one rule for all checks of no effect.

    Parameters
    ----------
    differs : bool
        Whether it is told from none, p-values adjusted.
    inside : bool
        Whether its interval lies wholly within the sizes that do not matter (`margins`).

    Notes
    -----
    A test of none alone fails at any shift in a large study, and passes for want of power in a
    small one. Only an interval inside the margin shows that there is no shift that matters: an
    equivalence test, here at 2.5%, since the interval is the 95% one that is shown. Of many such
    tests all must pass, which needs no correction (Berger 1982); tests of none are corrected. Told
    from none or not, and inside or not, give four answers (Lakens 2017): alike; small, told from
    none and yet too small to matter; differs; and not known, since the check could not have seen
    it. The last is never a pass.

    References
    ----------
    Hartman and Hidalgo (2018), American Journal of Political Science 62(4); Bilinski and Hatfield
    (2018), arXiv 1805.03273; Lakens (2017), Social Psychological and Personality Science 8(4);
    Berger (1982), Technometrics 24(4).

    Examples
    --------
    >>> [verdict_of(differs, True) for differs in (False, True)]
    [('passed', 'alike'), ('passed', 'small')]
    >>> [verdict_of(differs, False) for differs in (False, True)]
    [('cannot_be_judged', 'no_power'), ('failed', 'differs')]
    """
    if inside:
        return PASSED, "small" if differs else "alike"
    return (FAILED, "differs") if differs else (CANNOT, "no_power")


def margins(effects: pd.DataFrame, matters: float = MATTERS) -> pd.Series:
    """Return from what size on a shift matters to each effect, in standard deviations.

    Parameters
    ----------
    effects : DataFrame
        What the page reports: columns of a table of effects, `TOGETHER` among its outcomes.
    matters : float
        An effect that anybody would speak of.

    Returns
    -------
    Series
        By outcome, `TOGETHER` always among them.

    Notes
    -----
    `TIMES` such a shift must not make up the effect that is reported, or, where none is told from
    none, not one of `matters`: else it could be all that was found, or hide what was not. Larger
    effects than `matters` have no wider margin, since groups so far apart are not called alike.
    So the margin does not hang on how many families there are.

    References
    ----------
    Rambachan and Roth (2023), Review of Economic Studies 90(5), relative magnitudes.

    Examples
    --------
    >>> effects = pd.DataFrame({"outcome": ["offences", "out_of_work", TOGETHER],
    ...     "estimate": [0.12, 9.0, 0.02], "sd_comparison": [2.0, 100.0, 1.0],
    ...     "p_value": [0.01, 0.01, 0.3]})
    >>> margins(effects).round(4).to_dict()
    {'offences': 0.03, 'out_of_work': 0.045, 'together': 0.05}
    """
    size = np.abs(effects["estimate"].to_numpy(dtype=float)) / _deviation(effects)
    # At 5% each: an effect that some correction would not tell has the narrower margin too.
    known = np.where(effects["p_value"].to_numpy(dtype=float) < LEVEL, size, np.nan)
    margin = pd.Series(np.fmin(matters, known) / TIMES, index=effects["outcome"])
    if TOGETHER not in margin:
        margin[TOGETHER] = margin.min() if len(margin) else matters / TIMES
    return margin


def reach_of(tests: pd.DataFrame) -> np.ndarray:
    """Return the largest shift that each interval does not rule out, in standard deviations.

    Examples
    --------
    >>> reach_of(pd.DataFrame({"conf_low": [-0.3], "conf_high": [0.1], "sd_comparison": [2.0]}))
    array([0.15])
    """
    ends = np.abs(tests[["conf_low", "conf_high"]].to_numpy(dtype=float)).max(axis=1)
    return np.asarray(ends / _deviation(tests))


def adjusted_p(made: Mapping[str, pd.DataFrame], others: Mapping[str, float]) -> pd.DataFrame:
    """Return the p-value of each check of no effect, and what is left of it among them all.

    Parameters
    ----------
    made : mapping of str to DataFrame
        Tests by check, columns `COLUMNS`.
    others : mapping of str to float
        P-values of further checks; NaN of one that was not made.

    Returns
    -------
    DataFrame
        Indexed by check: `p_value` and, by Holm, `p_adjusted`.
    """
    p = pd.Series(
        {**{check: p_of_check(rows) for check, rows in made.items()}, **others}, dtype=float
    )
    return pd.DataFrame({"p_value": p, "p_adjusted": stepped(p.to_numpy(), "holm")})


def counted(tests: pd.DataFrame) -> np.ndarray:
    """Return the p-value of each test of a check, times how many the check has: 1 and more is 1.

    Half the level is for all outcomes at once, half for each of them, times how many there are.
    """
    at_once = (tests["outcome"] == TOGETHER).to_numpy()
    p = tests["p_value"].to_numpy(dtype=float)
    alone = int((~at_once & ~np.isnan(p)).sum())
    times = np.where(at_once, 1, alone) * (2 if (at_once & ~np.isnan(p)).any() else 1)
    return np.asarray(times * p)


def p_of_check(tests: pd.DataFrame) -> float:
    """Return the p-value of a check: the smallest of its tests, counting how many there are."""
    p = counted(tests)
    return min(1.0, float(np.nanmin(p))) if (~np.isnan(p)).any() else float("nan")


def judged(
    made: Mapping[str, pd.DataFrame], margin: pd.Series | None = None, p: pd.DataFrame | None = None
) -> list[dict[str, Any]]:
    """Return a row a check of no effect, with its verdict.

    Parameters
    ----------
    made : mapping of str to DataFrame
        Tests by check, columns `COLUMNS`.
    margin : Series, optional
        As from `margins`; outcomes not in it have that of all together. By default as where no
        effect is told from none.
    p : DataFrame, optional
        As from `adjusted_p`, of these checks and others; by default of these.

    Notes
    -----
    A check passes where all outcomes together lie inside the margin, and each test of it that is
    told from none as well. One outcome alone, not told from none, may lie beyond it: in a few
    thousand families hardly any could be shown not to.
    """
    p = adjusted_p(made, {}) if p is None else p
    margin = pd.Series({TOGETHER: MATTERS / TIMES}) if margin is None else margin
    checks = int(p["p_value"].notna().sum())
    lines = []
    for check, rows in made.items():
        known = rows[rows["p_value"].notna()].reset_index(drop=True)
        at_once = (known["outcome"] == TOGETHER).to_numpy()
        row: dict[str, Any] = {"check": check, "tests": int((~at_once).sum()),
                               "p_value": p.loc[check, "p_value"],
                               "p_adjusted": p.loc[check, "p_adjusted"]}  # fmt: skip
        if known.empty:
            reasons = [str(why) for why in rows["why"] if why]
            lines.append({**row, "outcome": "", "hidden": False, "verdict": CANNOT,
                          "reason": reasons[0] if reasons else "not_estimable"})  # fmt: skip
            continue
        parts = checks * (2 if at_once.any() else 1)
        single = detectable(known[~at_once], parts)
        p_each, reach = counted(known), reach_of(known)
        limit = known["outcome"].map(margin).fillna(margin[TOGETHER]).to_numpy(dtype=float)
        differs = (p_each < LEVEL) & (row["p_adjusted"] < LEVEL)
        decides = differs | at_once | (not at_once.any())
        against = decides & ~(reach < limit)
        verdict, reason = verdict_of(bool(differs.any()), not against.any())
        if reason == "differs" and check == "placebo_index_date":
            reason = "differs_earlier"
        worst = int(np.where(against | (not against.any()), p_each, np.inf).argmin())
        nearest = int(np.where(decides, reach / limit, -np.inf).argmax())
        size = worst if against.any() else nearest
        lines.append({
            **numbers_of(known.loc[[worst]]), **row,
            "detectable": detectable(known[at_once], parts) if at_once.any() else single,
            "detectable_single": single, "margin": limit[size], "reach": reach[size],
            "verdict": verdict, "reason": reason,
        })  # fmt: skip
    return lines


def detectable(tests: pd.DataFrame, checks: int) -> float:
    """Return the placebo effect that half of a check's tests would have seen, in deviations.

    Parameters
    ----------
    tests : DataFrame
        With an error.
    checks : int
        How many checks share the level.

    Examples
    --------
    >>> one = pd.DataFrame({"std_error": [0.1], "sd_comparison": [2.0], "freedom": [float("inf")]})
    >>> round(detectable(one, 1), 4)  # (1.96 + 0.8416) x 0.1 / 2
    0.1401
    """
    freedom = np.minimum(tests["freedom"].to_numpy(dtype=float), 1e9)
    level = LEVEL / (len(tests) * max(checks, 1))
    times = multiplier(freedom, POWER, 1 - level)
    return float(np.nanmedian(times * tests["std_error"] / _deviation(tests)))


def _deviation(tests: pd.DataFrame) -> np.ndarray:
    """Return the standard deviation that each is counted in; missing where there is none."""
    sd = tests["sd_comparison"].to_numpy(dtype=float)
    return np.where(sd > 0, sd, np.nan)
