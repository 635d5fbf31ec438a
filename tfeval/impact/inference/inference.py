"""Which standard errors, by name, and what they need of a design."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tfeval.display.names import cluster_key
from tfeval.errors import ParameterError, suggest
from tfeval.impact.design.design import Design
from tfeval.impact.inference.abadie_imbens import can_count
from tfeval.impact.inference.rules import BY_UNIT, CLUSTERED, ENOUGH_MATCHES
from tfeval.impact.means.methods import METHODS

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
    """Errors asked for.

    Attributes
    ----------
    kind : str
        One of `ERRORS`.
    clusters : tuple of str
        Clustering columns; "pair" for the matched set.
    stacked : bool
        Whether they count that the weights, or the score matched on, were estimated.
    automatic : bool
        Whether they were chosen for the design, so that another kind may stand in for them where
        they do not hold.
    """

    kind: str
    clusters: tuple[str, ...] = ()
    stacked: bool = False
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
    design : Design
    errors : str, optional
        One of `ERRORS`. By default by the study's cluster if it has one; else by matched set
        without replacement, Abadie-Imbens with it, and robust for weights.
    cluster : str or two of them, optional
        Of the study's clusters, "family" or "pair".
    stacked : bool
        Whether estimated weights, or an estimated score, are to count.
    method : str
        The estimator's name.

    Raises
    ------
    ParameterError
        If the errors are unknown or do not fit the design.
    """
    names = (cluster,) if isinstance(cluster, str) else tuple(cluster or ())
    automatic = errors is None
    if errors is None:
        errors = _suited(design, names)
    if errors not in ERRORS:
        raise ParameterError(f"errors {errors!r} is not offered. {suggest(str(errors), ERRORS)}")
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


def for_groups(asked: Asked, design: Design, groups: Mapping[str, np.ndarray | None]) -> Asked:
    """Return errors for all groups: by unit where one is too small for Abadie and Imbens."""
    if asked.kind != "abadie_imbens":
        return asked
    inside = [design.weights > 0 if part is None else design.weights * part > 0
              for part in groups.values()]  # fmt: skip
    fewest = min(
        min(np.count_nonzero(one & arm) for arm in (design.study.treated, ~design.study.treated))
        for one in inside
    )
    return asked if fewest >= ENOUGH_MATCHES else replace(asked, kind="robust", stacked=False)


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


def caveats(asked: Asked, design: Design, method: str, kinds: np.ndarray) -> tuple[str, ...]:
    """Return what a reader must know of the errors, as simulations showed it.

    Parameters
    ----------
    asked : Asked
    design : Design
    method : str
        The estimator's name.
    kinds : ndarray of str, shape (effects,)
        How variances were summed.

    Notes
    -----
    `tests/coverage/coverage.csv` has the figures.
    """
    found = _of_method(asked, design, method)
    if asked.kind in CLUSTERED and np.isin(kinds, BY_UNIT).any():
        name = "matched set" if asked.kind == "pair" else asked.clusters[0].replace("_", " ")
        found += (
            f"Where all units compared are of one {name}, errors are by unit: they say nothing of "
            f"how the effect differs between one {name} and another.",
        )
    return found


def _of_method(asked: Asked, design: Design, method: str) -> tuple[str, ...]:
    matched = design.sets is not None or design.pairs is not None
    plain = not METHODS[method].adjusts
    if plain and matched and not asked.stacked:
        return (
            "The difference after matching is not adjusted for what was matched on, and its errors "
            "are too large: in simulations its 95% intervals held the truth in 97% to 99.5%.",
        )
    if plain and asked.kind == "wild" and design.weight_model is not None:
        return (
            "The wild bootstrap takes estimated weights as known, and its intervals are too wide: "
            "in simulations 95% intervals held the truth in 99%.",
        )
    if asked.kind == "two_way":
        fewest = min(len(np.unique(codes_of(design, name))) for name in asked.clusters)
        if fewest < ENOUGH_TWO_WAY:
            return (
                f"Two-way errors over {fewest} clusters: in simulations with 30 and 40, a true "
                "zero was refused in 6% to 7%, not in 5%.",
            )
    return ()


def codes_of(design: Design, name: str) -> np.ndarray:
    """Return the codes of a clustering column, or of the matched sets for "pair".

    Raises
    ------
    ParameterError
        If the study or design has no such clusters.
    """
    if name != "pair":
        return design.study.cluster(name)
    if design.sets is None:
        raise ParameterError("This design has no matched sets to cluster by.")
    return design.sets


def clusterings(asked: Asked, design: Design) -> tuple[np.ndarray, ...]:
    """Return the codes of the clusterings that errors are over; none for errors by unit."""
    if asked.kind == "pair":
        return (codes_of(design, "pair"),)
    return tuple(codes_of(design, name) for name in asked.clusters)
