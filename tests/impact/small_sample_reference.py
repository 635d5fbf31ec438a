"""Slow, obvious standard errors and degrees of freedom for small samples, from the papers.

A regression by weighted least squares of `y` on `x`, with weights W and a working model Phi of the
errors' variances:

    M = (X'WX)^-1,  H = X M X'W,  e = (I - H) y,  estimate = c' M X'W y

Clustered (Liang and Zeger 1986; Bell and McCaffrey 2002; Pustejovsky and Tipton 2018, section 2):

    V = sum over clusters j of (c' M X_j' W_j A_j e_j)^2

with A_j = I (CR0), sqrt(G / (G - 1)) I (CR1), (I - H_jj)^-1 (CR3, the jackknife without its factor
(G - 1) / G), and for CR2, Phi_j = D_j' D_j,

    A_j = D_j' B_j^(-1/2) D_j,   B_j = D_j [(I - H) Phi (I - H)']_jj D_j'

in which the root is symmetric, and a Moore-Penrose inverse where B_j is singular. Since
e_j = (I - H)_j y, V is the sum of (g_j'y)^2, g_j = (I - H)_j' A_j' W_j X_j M c, and Satterthwaite's
degrees of freedom are (sum_j g_j'Phi g_j)^2 / sum_ij (g_i'Phi g_j)^2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SINGULAR = 1e-8


class Reference(NamedTuple):
    """An estimate, its standard error, and degrees of freedom (NaN where there are none)."""

    estimate: float
    std_error: float
    df: float


def inverse_root(matrix: np.ndarray) -> np.ndarray:
    """Return the symmetric inverse square root, with a Moore-Penrose inverse where singular."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = values > 1e-10 * max(values.max(), 1)
    roots = np.where(kept, 1 / np.sqrt(np.where(kept, values, 1)), 0)
    return vectors @ np.diag(roots) @ vectors.T


def adjustment(kind: str, own: np.ndarray, block: np.ndarray, phi: np.ndarray, clusters: int):
    """Return A_j, given (I - H)_jj, [(I - H) Phi (I - H)']_jj and the diagonal of Phi_j."""
    unit = np.eye(len(own))
    if kind == "CR0":
        return unit
    if kind == "CR1":
        return np.sqrt(clusters / (clusters - 1)) * unit
    if kind == "CR3":
        lost = np.linalg.svd(own, compute_uv=False).min() < SINGULAR
        return np.full_like(unit, np.nan) if lost else np.linalg.inv(own)
    d = np.diag(np.sqrt(phi))
    return d.T @ inverse_root(d @ block @ d.T) @ d


def cr_reference(  # noqa: PLR0917
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray,
    clusters: np.ndarray,
    contrast: np.ndarray,
    kind: str,
    *,
    working: str = "identity",
) -> Reference:
    """Return the cluster-robust error and Satterthwaite's degrees of freedom of a contrast.

    `kind` is CR0, CR1, CR2 or CR3; `working` is identity (equal variances) or inverse (variances
    go as one over the weights). NaN where CR3 does not exist.
    """
    bread = np.linalg.inv(x.T @ (weights[:, None] * x))
    hat = x @ bread @ x.T * weights
    left = np.eye(len(y)) - hat
    phi = np.ones(len(y)) if working == "identity" else 1 / weights
    codes = np.unique(clusters)
    found = np.empty((len(y), len(codes)))
    for place, code in enumerate(codes):
        j = np.flatnonzero(clusters == code)
        block = left[j] @ (phi[:, None] * left[j].T)
        adjust = adjustment(kind, left[np.ix_(j, j)], block, phi[j], len(codes))
        found[:, place] = left[j].T @ adjust.T @ (weights[j] * (x[j] @ bread @ contrast))
    products = found.T @ (phi[:, None] * found)
    return Reference(
        float(contrast @ bread @ x.T @ (weights * y)),
        float(np.sqrt(np.sum((found.T @ y) ** 2))),
        float(np.trace(products) ** 2 / np.sum(products**2)),
    )


def hc_reference(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, contrast: np.ndarray, kind: str
) -> Reference:
    """Return the error robust to unequal variances (MacKinnon and White 1985): HC0 to HC3.

    Degrees of freedom are n - k; Bell and McCaffrey's are `cr_reference`'s with a cluster for each
    row. NaN for HC2 and HC3 where a row has leverage 1.
    """
    n, k = x.shape
    bread = np.linalg.inv(x.T @ (weights[:, None] * x))
    estimates = bread @ x.T @ (weights * y)
    leverage = np.diag(x @ bread @ x.T * weights)
    room = np.where(1 - leverage > SINGULAR, 1 - leverage, np.nan)
    factor = {
        "HC0": np.ones(n),
        "HC1": np.full(n, n / (n - k)),
        "HC2": 1 / room,
        "HC3": 1 / room**2,
    }
    meat = x.T @ np.diag(weights**2 * (y - x @ estimates) ** 2 * factor[kind]) @ x
    variance = contrast @ bread @ meat @ bread @ contrast
    return Reference(float(contrast @ estimates), float(np.sqrt(variance)), float(n - k))


def welch_reference(y: np.ndarray, treated: np.ndarray) -> Reference:
    """Return the difference in means with Welch's error and degrees of freedom (Welch 1938)."""
    arms = [y[treated], y[~treated]]
    squares = [arm.var(ddof=1) / len(arm) for arm in arms]
    df = sum(squares) ** 2 / sum(
        part**2 / (len(arm) - 1) for part, arm in zip(squares, arms, strict=True)
    )
    difference = arms[0].mean() - arms[1].mean()
    return Reference(float(difference), float(np.sqrt(sum(squares))), float(df))


def q_profile_reference(y: np.ndarray, se: np.ndarray, level: float) -> tuple[float, float]:
    """Return the interval of the spread between areas, tau^2 (Viechtbauer 2007), by bisection.

    The values at which the weighted sum of squares around the weighted mean is no less likely than
    the level allows, on k - 1 degrees of freedom. NaN both where not even zero is among them.
    """
    from scipy.stats import chi2

    def q(spread: float) -> float:
        w = 1 / (se**2 + spread)
        return float(np.sum(w * (y - np.sum(w * y) / np.sum(w)) ** 2))

    ends = []
    for tail in ((1 + level) / 2, (1 - level) / 2):
        bound, low, high = float(chi2.ppf(tail, len(y) - 1)), 0.0, 1e6
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if q(middle) > bound else (low, middle)
        ends.append(0.0 if q(0) <= bound else low)
    empty = q(0) < chi2.ppf((1 - level) / 2, len(y) - 1)
    return (float("nan"), float("nan")) if empty else (ends[0], ends[1])
