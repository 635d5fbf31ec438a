"""When an effect has an error, and of which kind: all rules, in one place.

The numbers are those from which intervals held the truth in 93% to 97% of 2,000 simulated draws;
`tests/coverage/small_samples.csv` has the figures and the script beside it made them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.means.estimates import Estimates
from tfeval.impact.means.variance import clusters_of

#: Units with weight that each arm needs for any error of its own: with fewer, intervals of skewed
#: outcomes hold the truth too seldom (an exponential one in 91% with 5 and with 8), and those of
#: yes and no at random.
FEWEST_UNITS = 12
#: Units of each arm from which HC1 and the normal hold; with fewer HC2 and Satterthwaite's t.
ENOUGH_UNITS = 40
#: Clusters with units of an arm, of each arm, for any error by cluster.
FEWEST_CLUSTERS = 4
#: The same for CR3, whose intervals are too wide with fewer.
FEWEST_CLUSTERS_CR3 = 6
#: Clusters of each arm from which CR1 and t with G - 1 hold; with fewer CR2 and Satterthwaite's t.
ENOUGH_CLUSTERS = 12
#: Clusters of each arm for the wild and the cluster bootstrap, and of each kind for two ways.
ENOUGH_TO_DRAW = 10
#: Matched units of each arm for Abadie and Imbens.
ENOUGH_MATCHES = 30
#: Units expected in each arm with the rarer values of an outcome, if both arms were alike.
FEWEST_EVENTS = 5
#: Up to so many of them the interval of two values is by score, not by the normal.
RARE_EVENTS = 15
#: Treated units, and events, of an area that counts in pooling, whose errors are pooled.
FEWEST_POOLED, FEWEST_EVENTS_POOLED = 5, 2

ESTIMATED = "estimated"
NO_VARIATION = "no_variation"
NOT_FITTED = "not_fitted"
FEW_UNITS = "few_units"
FEW_CLUSTERS = "few_clusters"
FEW_EVENTS = "few_events"
DETERMINED = "determined"
NO_ERROR = "no_error"
#: Why an effect, or its error, is missing.
NOT_ESTIMATED = (NO_VARIATION, NOT_FITTED, FEW_UNITS, FEW_CLUSTERS, FEW_EVENTS, DETERMINED,
                 NO_ERROR)  # fmt: skip
#: The numbers that say why in words.
LIMITS = {
    "fewest_units": FEWEST_UNITS, "enough_units": ENOUGH_UNITS, "fewest_clusters": FEWEST_CLUSTERS,
    "enough_clusters": ENOUGH_CLUSTERS, "enough_to_draw": ENOUGH_TO_DRAW,
    "fewest_events": FEWEST_EVENTS,
}  # fmt: skip
#: Forms of the error for few units, clusters or events.
SMALL_SAMPLES = ("hc2", "hc3", "cr2", "cr3", "score")
#: Sums by unit that may stand in for errors by cluster.
BY_UNIT = ("hc1", "hc2")


@dataclass(frozen=True, eq=False)
class Ruling:
    """What the rules say of each effect.

    Attributes
    ----------
    status : ndarray of str, shape (effects,)
        `ESTIMATED`, or why there is no effect or no error.
    kind : ndarray of str, shape (effects,)
        How its variance is summed: "hc1", "hc2", "hc3" by unit; "cr1", "cr2", "cr3" by cluster;
        "two_way"; "given" where a bootstrap or permutation gives it.
    rare : ndarray of bool, shape (effects,)
        Whether the interval is by score.
    """

    status: np.ndarray
    kind: np.ndarray
    rare: np.ndarray

    @property
    def estimated(self) -> np.ndarray:
        """Which have an error."""
        return self.status == ESTIMATED

    @property
    def estimable(self) -> np.ndarray:
        """Which have an estimate."""
        return ~np.isin(self.status, (NO_VARIATION, NOT_FITTED))


def ruled(errors: str, held: Estimates, counted: np.ndarray, *, automatic: bool) -> Ruling:
    """Return which errors each effect has.

    Parameters
    ----------
    errors : str
        One of `inference.ERRORS`.
    held : Estimates
    counted : ndarray, shape (effects, 3)
        Clusters, as from `counted_clusters`.
    automatic : bool
        Whether the errors were chosen for the design and not asked for: another kind may then
        stand in where theirs does not hold.
    """
    units = np.minimum(held.fact("n_treated"), held.fact("n_comparison"))
    clusters, total = counted[:, :2].min(axis=1), counted[:, 2]
    # All of a population in one cluster: nothing says how clusters vary, but units do.
    by_unit = (total == 1) & (automatic and errors in CLUSTERED)
    asked = np.where(by_unit, "robust", errors)
    kind = np.empty(len(units), dtype=object)
    for place, one in enumerate(asked):
        # Matched sets asked for by name are as R has them, however few.
        enough = clusters[place] >= ENOUGH_CLUSTERS or (errors == "pair" and not automatic)
        kind[place] = _kind(str(one), units[place] >= ENOUGH_UNITS, enough)
    fewest = np.where(np.isin(asked, DRAWN), ENOUGH_TO_DRAW, FEWEST_CLUSTERS)
    fewest = np.where(asked == "cr3", FEWEST_CLUSTERS_CR3, fewest)
    needed = {"abadie_imbens": ENOUGH_MATCHES, "randomisation": 0}.get(errors, FEWEST_UNITS)
    expected = expected_events(held)
    status = np.full(len(units), ESTIMATED, dtype=object)
    for refused, why in (
        (held.fact("spread") == 0, NO_VARIATION),
        (np.isnan(held.effect), NOT_FITTED),
        (np.isin(asked, COUNTED) & (clusters < fewest), FEW_CLUSTERS),
        (units < needed, FEW_UNITS),
        (expected < FEWEST_EVENTS, FEW_EVENTS),
    ):
        status[refused & (status == ESTIMATED)] = why
    two_valued = ~np.isnan(held.fact("low"))
    rare = two_valued & (expected < RARE_EVENTS) & (kind != GIVEN)
    return Ruling(status, kind, rare)


#: Errors by cluster that another kind may stand in for; those for which clusters are counted; and
#: those that need more of them.
CLUSTERED = ("cluster", "pair")
COUNTED = (*CLUSTERED, "cr2", "cr3", "two_way", "wild", "bootstrap")
DRAWN = ("two_way", "wild", "bootstrap")
GIVEN = "given"


def _kind(errors: str, enough_units: bool, enough_clusters: bool) -> str:
    """Return how a variance is summed."""
    if errors in ("hc2", "hc3", "cr2", "cr3", "two_way"):
        return errors
    if errors in CLUSTERED:
        return "cr1" if enough_clusters else "cr2"
    if errors == "abadie_imbens":
        return "hc1"
    if errors == "robust":
        return "hc1" if enough_units else "hc2"
    return GIVEN


def expected_events(held: Estimates) -> np.ndarray:
    """Return the fewer of units with and without an outcome's rarer values that an arm would have.

    Were both arms, and all groups, alike: a group's own count would decide by what it happens to
    be whether there is an interval, and such intervals do not hold.
    """
    sizes = np.stack([held.fact("ess_treated"), held.fact("ess_comparison")])
    shares = np.stack([held.fact("differing_treated"), held.fact("differing_comparison")])
    low, high = held.fact("low"), held.fact("high")
    names, outcomes = np.unique(held.fact("outcome"), return_inverse=True)
    rarer = np.ones(len(outcomes))
    for place in range(len(names)):
        own = outcomes == place
        two = own & ~np.isnan(low)
        if two.any() and np.ptp(low[two]) == np.ptp(high[two]) == 0:
            base, apart = low[two][0], high[two][0] - low[two][0]
            means = (np.stack([held.treated, held.comparison])[:, own] - base) / apart
            share = (sizes[:, own] * means).sum() / sizes[:, own].sum()
            rarer[own] = min(share, 1.0 - share)
        else:
            rarer[own] = (sizes[:, own] * shares[:, own]).sum() / sizes[:, own].sum()
    return rarer * sizes.min(axis=0)


def counted_clusters(held: Estimates, codes: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return clusters with treated, with comparison and with any units, shape (effects, 3).

    Parameters
    ----------
    held : Estimates
    codes : tuple of ndarray of int, shape (n,)
        Of the clusterings: of two, the fewer count; without any, clusters are endless.
    """
    if not codes:
        return np.full((len(held.rows), 3), np.inf)
    arms = (held.treated_arm, ~held.treated_arm, None)
    return np.min([[clusters_of(held.part, one, arm) for arm in arms] for one in codes], axis=0).T


def check_clusters(errors: str, counted: np.ndarray) -> None:
    """Refuse errors asked for by a clustering that can give none.

    Parameters
    ----------
    errors : str
    counted : ndarray, shape (effects, 3)
        As from `counted_clusters`.

    Raises
    ------
    DataError
    """
    most = counted[:, 2].max()
    if errors == "wild" and most < 3:
        raise DataError(
            "A wild cluster bootstrap needs three clusters or more. Cluster by something with more "
            'groups, or say errors="robust".'
        )
    if most < 2:
        raise DataError(
            "There is one cluster only, so nothing says how clusters vary. Cluster by something "
            'with more groups, such as the family or the matched pair, or say errors="robust".'
        )


def check_fitted(held: Estimates) -> None:
    """Refuse to go on where no outcome's model settled.

    Raises
    ------
    DataError
        Naming the outcomes.
    """
    if np.isnan(held.effect).all():
        named = ", ".join(dict.fromkeys(held.fact("outcome")))
        raise DataError(
            f"The logistic model of {named} does not settle: nobody has it in one arm, everybody "
            'has, or covariates determine it there. Say outcome_model="linear", or adjust for '
            "fewer covariates."
        )
