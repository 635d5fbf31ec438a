"""Effects of designs that make their own contrasts, by sums of their units' influences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

from tfeval.errors import ParameterError, suggest
from tfeval.impact.design.protocol import AnyDesign, Contrasts
from tfeval.impact.effects.effects import Effects
from tfeval.impact.inference.rules import (
    ESTIMATED,
    FEW_CLUSTERS,
    FEW_UNITS,
    FEWEST_CLUSTERS,
    FEWEST_UNITS,
    NO_VARIATION,
)

#: An error this small, relative to the outcome's standard deviation, is rounding.
_NOTHING = 1e-10


def contrast_effects(
    design: AnyDesign,
    outcomes: Any,
    months: int | None,
    *,
    errors: str | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> Effects:
    """Return the one table of effects for a design that makes its own contrasts.

    Parameters
    ----------
    design : AnyDesign
    outcomes : object
        As the design takes them.
    months : int, optional
    errors : {"robust", "cluster"}, optional
        By the design's first clusters if it has any, else by unit.
    cluster : str, optional
        One of the design's clusters.
    level : float, default 0.95

    Returns
    -------
    Effects
        Errors are sums of influences, times n/(n - 1) for n units or clusters, with Student's t on
        n - 1 degrees of freedom. Too few units or clusters have no error.

    Raises
    ------
    ParameterError
        If the errors or clusters are not the design's.
    """
    found = design.contrasts(outcomes, months)
    codes, name = _codes(found, errors, cluster)
    sums = found.influence if codes is None else _summed(found.influence, codes)
    count, fewest = len(sums), FEWEST_UNITS if codes is None else FEWEST_CLUSTERS
    covariance = sums.T @ sums * (count / max(count - 1, 1))
    error = np.sqrt(np.diag(covariance))
    frame = found.rows.reset_index(drop=True)
    estimate = frame["estimate"].to_numpy(dtype=float)
    few = FEW_UNITS if codes is None else FEW_CLUSTERS
    status = np.where(count < fewest, few, ESTIMATED)
    spread = _spreads(outcomes, frame["outcome"], estimate)
    status = np.where(error <= _NOTHING * spread, NO_VARIATION, status)
    known = (status == ESTIMATED) & np.isfinite(estimate)
    error = np.where(known, error, np.nan)
    reach = float(stdtrit(count - 1, (1 + level) / 2)) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(count - 1, -np.abs(estimate) / error)
    computed = {
        "months": pd.array([months] * len(frame), dtype="Int64"), "estimand": design.estimand,
        "method": design.kind, "errors": "robust" if codes is None else "cluster",
        "std_error": error, "conf_low": estimate - reach, "conf_high": estimate + reach,
        "p_value": p, "status": status, "freedom": np.where(known, count - 1.0, np.nan),
        "clusters": np.nan if codes is None else float(count),
    }  # fmt: skip
    kept = {key: value for key, value in computed.items() if key not in found.rows}
    return Effects(
        frame=frame.assign(**kept), joint=np.where(np.outer(known, known), covariance, np.nan),
        level=level, settings={"design": design.kind, "clusters": name},
        notes=(f"Assumed: {design.assumption}", *design.notes), simulated=design.simulated,
    )  # fmt: skip


def _codes(
    found: Contrasts, errors: str | None, cluster: str | None
) -> tuple[np.ndarray | None, str]:
    if errors not in (None, "robust", "cluster"):
        raise ParameterError(
            f'This design has errors "robust" and "cluster", and {errors!r} is neither.'
        )
    if errors == "robust" or (errors is None and cluster is None and not found.clusters):
        return None, ""
    if not found.clusters:
        raise ParameterError("This design's units are in no clusters: leave cluster out.")
    name = next(iter(found.clusters)) if cluster is None else cluster
    if name not in found.clusters:
        raise ParameterError(f"There are no clusters {name}. {suggest(name, found.clusters)}")
    return np.asarray(found.clusters[name]), name


def _spreads(outcomes: Any, names: Iterable[str], estimate: np.ndarray) -> np.ndarray:
    """Return the outcomes' standard deviations; where they are not to be had, the estimates."""
    held = outcomes.std() if isinstance(outcomes, pd.DataFrame) else pd.Series(dtype=float)
    found = pd.Series([held.get(name, np.nan) for name in names], dtype=float)
    return found.fillna(pd.Series(np.abs(estimate))).to_numpy()


def _summed(influence: np.ndarray, codes: np.ndarray) -> np.ndarray:
    _, place = np.unique(codes, return_inverse=True)
    return np.stack([np.bincount(place, weights=column) for column in influence.T], axis=1)
