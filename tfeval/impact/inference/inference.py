"""Which standard errors, by name, and what they need of a design."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tfeval.errors import ParameterError, suggest
from tfeval.impact.design.design import Design
from tfeval.impact.inference.estimated_score import can_count
from tfeval.impact.means.variance import Influence, Spread, clustered, robust, two_way

ERRORS = {
    "robust": "robust to unequal variances (HC1)",
    "cluster": "clustered by",
    "two_way": "clustered by",
    "pair": "clustered by matched set",
    "abadie_imbens": "Abadie-Imbens, for matching with replacement",
    "bootstrap": "cluster bootstrap that repeats design and estimate, over",
    "wild": "wild cluster bootstrap, over",
}
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
    """

    kind: str
    clusters: tuple[str, ...] = ()
    stacked: bool = False

    @property
    def words(self) -> str:
        """What a reader is told."""
        names = " and ".join(name.replace("_", " ") for name in self.clusters)
        words = f"{ERRORS[self.kind]} {names}".strip()
        what = "propensity score was" if self.kind == "abadie_imbens" else "weights were"
        return f"{words}; counting that the {what} estimated" if self.stacked else words


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
    if errors is None:
        errors = _suited(design, names)
    if errors not in ERRORS:
        raise ParameterError(f"errors {errors!r} is not offered. {suggest(str(errors), ERRORS)}")
    if errors in ("cluster", "bootstrap", "wild") and not names:
        names = (_main_cluster(design, errors),)
    wanted = {"two_way": 2, "cluster": 1, "bootstrap": 1, "wild": 1}.get(errors, 0)
    if len(names) != wanted:
        raise ParameterError(
            f'errors="{errors}" goes with {wanted} clustering columns, and {len(names)} are given.'
        )
    if errors == "pair" and design.sets is None:
        raise ParameterError(
            'This design has no matched sets to cluster by. Use errors="abadie_imbens" with '
            'replacement, "cluster" or "robust" otherwise.'
        )
    counted = design.weight_model is not None and errors in ("robust", "cluster", "two_way")
    if errors == "abadie_imbens" and method == "difference":
        counted = can_count(design)
    return Asked(errors, names, stacked and counted)


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


def caveats(asked: Asked, design: Design, method: str) -> tuple[str, ...]:
    """Return what a reader must know of the errors, as simulations showed it.

    Parameters
    ----------
    asked : Asked
    design : Design
    method : str
        The estimator's name.

    Notes
    -----
    `tests/coverage/coverage.csv` has the figures.
    """
    matched = design.sets is not None or design.pairs is not None
    if method == "difference" and matched and not asked.stacked:
        return (
            "The difference after matching is not adjusted for what was matched on, and its errors "
            "are too large: in simulations its 95% intervals held the truth in 97% to 99.5%.",
        )
    if method == "difference" and asked.kind == "wild" and design.weight_model is not None:
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


def spread_of(asked: Asked, design: Design, influence: Influence) -> Spread:
    """Return the covariance of estimates by their influences."""
    if asked.kind in ("robust", "abadie_imbens"):
        return robust(influence)
    if asked.kind == "pair":
        return clustered(influence, codes_of(design, "pair"))
    codes = [codes_of(design, name) for name in asked.clusters]
    return two_way(influence, codes) if asked.kind == "two_way" else clustered(influence, codes[0])
