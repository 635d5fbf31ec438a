"""Which standard errors, by name, what they need of a design, and when an effect has one at all.

The numbers are those from which intervals held the truth in 93% to 97% of 2,000 simulated draws;
`tests/coverage/small_samples.csv` has the figures and the script beside it made them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tfeval.display.names import cluster_key
from tfeval.errors import DataError, ParameterError, check_choice
from tfeval.impact.design.design import Design
from tfeval.impact.inference.abadie_imbens import can_count
from tfeval.impact.means.estimates import Estimates
from tfeval.impact.means.influence import clusters_of
from tfeval.impact.means.methods import METHODS

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
#: Values of a running variable on either side of a cutoff for a local polynomial's own error.
FEWEST_SUPPORT = 8
#: F of a first stage from which a ratio has an interval.
FEWEST_F = 10
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
FEW_SUPPORT = "few_support"
WEAK_FIRST_STAGE = "weak_first_stage"
#: Of a group in a period: nobody of it, or nobody to compare with, is seen in both periods; it has
#: no overlap in covariates; these determine one another; it is the period others are set against.
NO_TREATED, NO_COMPARISON, NO_OVERLAP = "no_treated", "no_comparison", "no_overlap"
COLLINEAR, REFERENCE = "collinear", "reference"
#: A panel whose values of an outcome the design cannot take.
NOT_IN_PANEL = "not_in_panel"
#: Why an effect, or its error, is missing.
NOT_ESTIMATED = (NO_VARIATION, NOT_FITTED, FEW_UNITS, FEW_CLUSTERS, FEW_EVENTS, DETERMINED,
                 NO_ERROR, FEW_SUPPORT, WEAK_FIRST_STAGE, NO_TREATED, NO_COMPARISON, NO_OVERLAP,
                 COLLINEAR, REFERENCE, NOT_IN_PANEL)  # fmt: skip
#: The numbers that say why in words.
LIMITS = {
    "fewest_units": FEWEST_UNITS, "enough_units": ENOUGH_UNITS, "fewest_clusters": FEWEST_CLUSTERS,
    "enough_clusters": ENOUGH_CLUSTERS, "enough_to_draw": ENOUGH_TO_DRAW,
    "fewest_events": FEWEST_EVENTS, "fewest_support": FEWEST_SUPPORT, "fewest_f": FEWEST_F,
}  # fmt: skip
#: Forms of the error for few units, clusters or events.
SMALL_SAMPLES = ("hc2", "hc3", "cr2", "cr3", "score")
#: Sums by unit that may stand in for errors by cluster.
BY_UNIT = ("hc1", "hc2")


@dataclass(frozen=True, eq=False)
class Ruling:
    """What the rules say of each effect."""

    status: np.ndarray  # (effects,) str: `ESTIMATED`, or why there is no effect or no error
    #: (effects,) str: how its variance is summed: "hc1", "hc2", "hc3" by unit; "cr1", "cr2", "cr3"
    #: by cluster; "two_way"; "given" where a bootstrap or permutation gives it.
    kind: np.ndarray
    rare: np.ndarray  # (effects,) bool: whether the interval is by score

    @property
    def estimated(self) -> np.ndarray:
        """Which have an error."""
        return self.status == ESTIMATED

    @property
    def estimable(self) -> np.ndarray:
        """Which have an estimate."""
        return ~np.isin(self.status, (NO_VARIATION, NOT_FITTED))


def ruled(errors: str, stats: Estimates, counted: np.ndarray, *, automatic: bool) -> Ruling:
    """Return which errors each effect has.

    Parameters
    ----------
    errors : str
        One of `inference.ERRORS`.
    counted : ndarray, shape (effects, 3)
        Clusters, as from `counted_clusters`.
    automatic : bool
        Whether the errors were chosen for the design and not asked for: another kind may then
        stand in where theirs does not hold.
    """
    units = np.minimum(stats.fact("n_treated"), stats.fact("n_comparison"))
    clusters, total = counted[:, :2].min(axis=1), counted[:, 2]
    # All of a population in one cluster: nothing says how clusters vary, but units do.
    by_unit = (total == 1) & (automatic and errors in CLUSTERED)
    kinds = np.where(by_unit, "robust", errors)
    kind = np.empty(len(units), dtype=object)
    for place, one in enumerate(kinds):
        # Matched sets asked for by name are as R has them, however few.
        enough = clusters[place] >= ENOUGH_CLUSTERS or (errors == "pair" and not automatic)
        kind[place] = _kind(str(one), units[place] >= ENOUGH_UNITS, enough)
    fewest = np.where(np.isin(kinds, DRAWN), ENOUGH_TO_DRAW, FEWEST_CLUSTERS)
    fewest = np.where(kinds == "cr3", FEWEST_CLUSTERS_CR3, fewest)
    needed = {"abadie_imbens": ENOUGH_MATCHES, "randomisation": 0}.get(errors, FEWEST_UNITS)
    expected = expected_events(stats)
    status = np.full(len(units), ESTIMATED, dtype=object)
    for refused, why in (
        (stats.fact("spread") == 0, NO_VARIATION),
        (np.isnan(stats.effect), NOT_FITTED),
        (np.isin(kinds, COUNTED) & (clusters < fewest), FEW_CLUSTERS),
        (units < needed, FEW_UNITS),
        (expected < FEWEST_EVENTS, FEW_EVENTS),
    ):
        status[refused & (status == ESTIMATED)] = why
    two_valued = ~np.isnan(stats.fact("low"))
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


def expected_events(stats: Estimates) -> np.ndarray:
    """Return the fewer of units with and without an outcome's rarer values that an arm would have.

    Were both arms, and all groups, alike: a group's own count would decide by what it happens to
    be whether there is an interval, and such intervals do not hold.
    """
    sizes = np.stack([stats.fact("ess_treated"), stats.fact("ess_comparison")])
    shares = np.stack([stats.fact("differing_treated"), stats.fact("differing_comparison")])
    low, high = stats.fact("low"), stats.fact("high")
    names, outcomes = np.unique(stats.fact("outcome"), return_inverse=True)
    rarer = np.ones(len(outcomes))
    for place in range(len(names)):
        own = outcomes == place
        two = own & ~np.isnan(low)
        if two.any() and np.ptp(low[two]) == np.ptp(high[two]) == 0:
            base, apart = low[two][0], high[two][0] - low[two][0]
            means = (np.stack([stats.treated, stats.comparison])[:, own] - base) / apart
            share = (sizes[:, own] * means).sum() / sizes[:, own].sum()
            rarer[own] = min(share, 1.0 - share)
        else:
            rarer[own] = (sizes[:, own] * shares[:, own]).sum() / sizes[:, own].sum()
    return rarer * sizes.min(axis=0)


def counted_clusters(stats: Estimates, codes: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return clusters with treated, with comparison and with any units, shape (effects, 3).

    Parameters
    ----------
    codes : tuple of ndarray of int, shape (n,)
        Of the clusterings: of two, the fewer count; without any, clusters are endless.
    """
    if not codes:
        return np.full((len(stats.rows), 3), np.inf)
    arms = (stats.treated_arm, ~stats.treated_arm, None)
    return np.min([[clusters_of(stats.part, one, arm) for arm in arms] for one in codes], axis=0).T


def check_clusters(errors: str, counted: np.ndarray) -> None:
    """Refuse errors asked for by a clustering that can give none.

    Parameters
    ----------
    counted : ndarray, shape (effects, 3)
        As from `counted_clusters`.
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


def check_fitted(stats: Estimates) -> None:
    """Refuse to go on where no outcome's model settled."""
    if np.isnan(stats.effect).all():
        named = ", ".join(dict.fromkeys(stats.fact("outcome")))
        raise DataError(
            f"The logistic model of {named} does not settle: nobody has it in one arm, everybody "
            'has, or covariates determine it there. Say outcome_model="linear", or adjust for '
            "fewer covariates."
        )


#: By the name that `estimate` takes.
ERRORS = ("robust", "hc2", "hc3", "cluster", "cr2", "cr3", "two_way", "pair", "abadie_imbens",
          "bootstrap", "wild", "randomisation")  # fmt: skip
#: Sums of influences, that can count how estimated weights move them.
SUMMED = ("robust", "hc2", "hc3", "cluster", "cr2", "cr3", "two_way")
#: Errors over one clustering.
OVER_CLUSTERS = ("cluster", "cr2", "cr3", "bootstrap", "wild", "randomisation")
#: Clusters of each kind from which two-way errors held their level in simulations.
ENOUGH_TWO_WAY = 50


@dataclass(frozen=True)
class Asked:
    """Errors asked for."""

    kind: str  # one of `ERRORS`
    clusters: tuple[str, ...] = ()  # clustering columns; "pair" for the matched set
    #: Whether they count that the weights, or the score matched on, were estimated.
    stacked: bool = False
    #: Whether they were chosen for the design, so that another kind may stand in for them where
    #: they do not hold.
    automatic: bool = False

    def keys_of(self, kinds: np.ndarray) -> list[tuple[str, str]]:
        """Return each effect's errors and clusters, given how its variance was summed."""
        own = self.kind, cluster_key(self.clusters)
        by_unit = self.kind in CLUSTERED
        return [("robust", "") if by_unit and kind in BY_UNIT else own for kind in kinds]


def columns_of(errors: str) -> int:
    """Return over how many clustering columns errors are.

    Examples
    --------
    >>> columns_of("two_way"), columns_of("cr2"), columns_of("robust")
    (2, 1, 0)
    """
    return 2 if errors == "two_way" else int(errors in OVER_CLUSTERS)


def chosen_errors(
    design: Design,
    errors: str | None,
    cluster: str | Iterable[str] | None,
    *,
    stacked: bool,
    method: str,
) -> Asked:
    """Return the errors asked for, or those that suit the design.

    Parameters
    ----------
    errors : str, optional
        One of `ERRORS`. By default by the study's cluster if it has one; else by matched set
        without replacement, Abadie-Imbens with it, and robust for weights.
    cluster : str or two of them, optional
        Of the study's clusters, "family" or "pair".
    stacked : bool
        Whether estimated weights, or an estimated score, are to count.
    method : str
        The estimator's name.
    """
    names = (cluster,) if isinstance(cluster, str) else tuple(cluster or ())
    automatic = errors is None
    if errors is None:
        errors = _suited(design, names)
    check_choice("errors", errors, ERRORS)
    if errors in OVER_CLUSTERS and not names:
        names = (_main_cluster(design, errors),)
    wanted = columns_of(errors)
    if len(names) != wanted:
        raise ParameterError(
            f'errors="{errors}" goes with {wanted} clustering columns, and {len(names)} are given.'
        )
    if errors == "pair" and design.sets is None:
        raise ParameterError(
            'This design has no matched sets to cluster by. Use errors="abadie_imbens" with '
            'replacement, "cluster" or "robust" otherwise.'
        )
    counted = design.weight_model is not None and errors in SUMMED
    if errors == "abadie_imbens" and not METHODS[method].adjusts:
        counted = can_count(design)
    return Asked(errors, names, stacked and counted, automatic and not cluster)


def for_groups(scheme: Asked, design: Design, groups: Mapping[str, np.ndarray | None]) -> Asked:
    """Return errors for all groups: by unit where one is too small for Abadie and Imbens."""
    if scheme.kind != "abadie_imbens":
        return scheme
    inside = [design.weights > 0 if part is None else design.weights * part > 0
              for part in groups.values()]  # fmt: skip
    fewest = min(
        min(np.count_nonzero(one & arm) for arm in (design.study.treated, ~design.study.treated))
        for one in inside
    )
    return scheme if fewest >= ENOUGH_MATCHES else replace(scheme, kind="robust", stacked=False)


def _suited(design: Design, names: tuple[str, ...]) -> str:
    if len(names) == 2:
        return "two_way"
    if names or design.study.clusters:
        return "cluster"
    if design.sets is not None:
        return "pair"
    return "robust" if design.pairs is None else "abadie_imbens"


def _main_cluster(design: Design, errors: str) -> str:
    if not design.study.clusters:
        raise ParameterError(
            f'errors="{errors}" needs a cluster. Name it when the study is made: '
            'study(frame, ..., cluster="local_authority").'
        )
    return next(iter(design.study.clusters))


def caveats(scheme: Asked, design: Design, method: str, kinds: np.ndarray) -> tuple[str, ...]:
    """Return what a reader must know of the errors, as simulations showed it.

    Parameters
    ----------
    method : str
        The estimator's name.
    kinds : ndarray of str, shape (effects,)
        How variances were summed.

    Notes
    -----
    `tests/coverage/coverage.csv` has the figures.
    """
    notes = _of_method(scheme, design, method)
    if scheme.kind in CLUSTERED and np.isin(kinds, BY_UNIT).any():
        name = "matched set" if scheme.kind == "pair" else scheme.clusters[0].replace("_", " ")
        notes += (
            f"Where all units compared are of one {name}, errors are by unit: they say nothing of "
            f"how the effect differs between one {name} and another.",
        )
    return notes


def _of_method(scheme: Asked, design: Design, method: str) -> tuple[str, ...]:
    matched = design.sets is not None or design.pairs is not None
    plain = not METHODS[method].adjusts
    if plain and matched and not scheme.stacked:
        return (
            "The difference after matching is not adjusted for what was matched on, and its errors "
            "are too large: in simulations its 95% intervals held the truth in 97% to 99.5%.",
        )
    if plain and scheme.kind == "wild" and design.weight_model is not None:
        return (
            "The wild bootstrap takes estimated weights as known, and its intervals are too wide: "
            "in simulations 95% intervals held the truth in 99%.",
        )
    if scheme.kind == "two_way":
        fewest = min(len(np.unique(codes_of(design, name))) for name in scheme.clusters)
        if fewest < ENOUGH_TWO_WAY:
            return (
                f"Two-way errors over {fewest} clusters: in simulations with 30 and 40, a true "
                "zero was refused in 6% to 7%, not in 5%.",
            )
    return ()


def codes_of(design: Design, name: str) -> np.ndarray:
    """Return the codes of a clustering column, or of the matched sets for "pair"."""
    if name != "pair":
        return design.study.cluster(name)
    if design.sets is None:
        raise ParameterError("This design has no matched sets to cluster by.")
    return design.sets


def clusterings(scheme: Asked, design: Design) -> tuple[np.ndarray, ...]:
    """Return the codes of the clusterings that errors are over; none for errors by unit."""
    if scheme.kind == "pair":
        return (codes_of(design, "pair"),)
    return tuple(codes_of(design, name) for name in scheme.clusters)
