"""What is read of a coefficient of a model that statsmodels or pyfixest fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.names import MODELS, cluster_key, method_words
from tfeval.errors import ParameterError, suggest
from tfeval.impact.balance.rows import effective_sample_size

#: What a coefficient is where it is no difference in the outcome's own unit, by model or link.
SCALES = {
    "Logit": "log_odds_ratio", "Probit": "probit_index", "Poisson": "log_ratio_of_rates",
    "NegativeBinomial": "log_ratio_of_rates", "Log": "log_ratio_of_means",
    "fepois": "log_ratio_of_rates", "feglm-logit": "log_odds_ratio",
    "feglm-probit": "probit_index", "feglm-gaussian": "", "Identity": "", "identity": "",
    "quantreg": "", "QuantReg": "", "RLM": "", "MixedLM": "", "feols": "",
}  # fmt: skip
#: Kinds of errors, by the names of both packages: this package's own where they are the same.
_ERRORS = {
    "nonrobust": "iid", "iid": "iid", "HC0": "hc0", "HC1": "robust", "HC2": "hc2", "HC3": "hc3",
    "hetero": "hetero", "cluster": "cluster", "CRV1": "crv1", "CRV3": "crv3",
}  # fmt: skip
#: Keys of `_ERRORS` that this package's own errors have not.
ERRORS = ("iid", "hc0", "hetero", "crv1", "crv3")
#: Estimands: a coefficient, and one where those of its interactions are at 0.
COEFFICIENT, AT_ZERO = "coefficient", "coefficient_at_zero"


@dataclass(frozen=True)
class Coefficient:
    """What is read of one coefficient of a fitted model.

    The keys are those of a table of effects.
    """

    estimate: float
    error: float
    low: float
    high: float
    p: float
    freedom: float  # that the model may have used; NaN if it says none
    outcome: str | None
    method: str
    errors: str
    model: str = ""  # in words, with what no key says
    outcome_model: str = ""
    cluster: str = ""
    scale: str = ""  # what the coefficient is, where no difference in the outcome's own unit
    clusters: float = math.nan  # NaN if not by cluster, or not known
    rows: float = math.nan
    #: Columns of a table of effects about the rows where the term is 1, and where it is 0; empty
    #: where it has other values, or the rows are not there.
    arms: Mapping[str, float] = field(default_factory=dict)
    #: Whether other coefficients are of its interactions: then it is the effect where these are 0.
    interacted: bool = False


def of_statsmodels(result: Any, term: str, level: float) -> Coefficient:
    """Read a coefficient of a fitted statsmodels model."""
    model: Any = getattr(result, "model", None)
    given: Any = getattr(result, "params", None)
    if model is None or given is None or callable(given):
        _refuse("from_statsmodels", result, "sm.WLS(...).fit()")
    if np.ndim(given) != 1:
        raise ParameterError("The model has several equations: fit one with a single outcome.")
    known = list(given.index) if isinstance(given, pd.Series) else list(model.exog_names)
    names = [str(name) for name in known]
    place = _place(names, term)
    try:
        error, p = np.asarray(result.bse)[place], np.asarray(result.pvalues)[place]
        low, high = np.asarray(result.conf_int(alpha=1 - level))[place]
    except (AttributeError, ValueError, NotImplementedError):
        error = p = low = high = math.nan
    kind, link = type(model).__name__, getattr(getattr(model, "family", None), "link", None)
    scale, method, outcome_model = SCALES.get(kind, ""), f"statsmodels.{kind}", ""
    if link is not None and kind not in SCALES:
        outcome_model = f"{type(model.family).__name__}.{type(link).__name__}"
        scale = SCALES.get(type(link).__name__, type(link).__name__)
    cov_type = str(getattr(result, "cov_type", ""))
    freedom = getattr(result, "df_resid_inference", None) or getattr(result, "df_resid", None)
    return Coefficient(
        float(np.asarray(given)[place]), float(error), float(low), float(high), float(p),
        _single(freedom), _text(getattr(model, "endog_names", None)), method,
        _ERRORS.get(cov_type, cov_type), method_words(method, outcome_model), outcome_model,
        scale=scale,
        clusters=_single(getattr(result, "n_groups", None) if cov_type == "cluster" else None),
        rows=_single(getattr(result, "nobs", None)),
        arms=_arms(_column(model, names[place]), getattr(model, "endog", None), _weights(model),
                   getattr(model, "freq_weights", None)),
        interacted=_interacted(names, term),
    )  # fmt: skip


def of_pyfixest(result: Any, term: str, level: float) -> Coefficient:
    """Read a coefficient of a fitted pyfixest model, by what it offers to everybody."""
    if hasattr(result, "fetch_model"):
        raise ParameterError("Several models were fitted at once: give one, fetch_model(0).")
    if not all(callable(getattr(result, name, None)) for name in ("coef", "se", "pvalue",
                                                                  "confint")):  # fmt: skip
        _refuse("from_pyfixest", result, 'feols("y ~ treated", frame)')
    coefficients = result.coef()
    place = _place([str(name) for name in coefficients.index], term)
    interval = result.confint(alpha=1 - level)
    low, high = np.asarray(interval)[list(map(str, interval.index)).index(term)]
    kind = str(getattr(result, "_method", "regression"))
    fixed, weighted = getattr(result, "_fixef", None), getattr(result, "_has_weights", False)
    words = MODELS.get(kind, "regression")
    model = f"weighted {words}" if weighted else words
    if fixed:
        model += f" with fixed effects of {' and '.join(str(fixed).replace('+', ' ').split())}"
    detail = str(getattr(result, "_vcov_type_detail", ""))
    by = [str(name) for name in getattr(result, "_clustervar", None) or ()]
    outcome = _text(getattr(result, "_depvar", None))
    rows, frame = _single(getattr(result, "_N", None)), getattr(result, "_data", None)
    arms: Mapping[str, float] = {}
    if isinstance(frame, pd.DataFrame) and {term, outcome} <= set(frame) and len(frame) == rows:
        named = getattr(result, "_weights_name", None)
        arms = _arms(frame[term], frame[outcome], frame.get(named))
    return Coefficient(
        float(coefficients.iloc[place]), float(result.se()[term]), float(low), float(high),
        float(result.pvalue()[term]), _single(getattr(result, "_df_t", None)), outcome,
        f"pyfixest.{kind}", _ERRORS.get(detail, detail), f"{model} (pyfixest {kind})",
        cluster=cluster_key(by), scale=SCALES.get(kind, kind),
        clusters=_single(getattr(result, "_G", None)) if by else math.nan, rows=rows, arms=arms,
        interacted=_interacted(list(map(str, coefficients.index)), term),
    )  # fmt: skip


def freedom_of(read: Coefficient) -> float:
    """Return the degrees of freedom that the p-value was taken with; NaN if it tells none.

    Examples
    --------
    >>> normal = Coefficient(1.96, 1.0, 0.0, 3.92, 0.0499957902964, 50, "y", "", "")
    >>> freedom_of(normal)
    inf
    """
    from scipy.stats import norm, t  # noqa: PLC0415

    size = abs(read.estimate / read.error)
    known = read.freedom > 0 and math.isfinite(read.freedom)
    if known and np.isclose(2 * t.sf(size, read.freedom), read.p, rtol=1e-6, atol=0.0):
        return read.freedom
    return math.inf if np.isclose(2 * norm.sf(size), read.p, rtol=1e-6, atol=0.0) else math.nan


def _arms(term: Any, outcome: Any, weights: Any, units: Any = None) -> dict[str, float]:
    """Return counts and means where a term is 1 and 0; nothing where it is anything else.

    Each row is one unit, or as many as `units` says.
    """
    if term is None or outcome is None or np.shape(term) != np.shape(outcome):
        return {}
    term, y = np.asarray(term, dtype=float), np.asarray(outcome, dtype=float)
    weights = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    units = np.ones(len(y)) if np.shape(units) != y.shape else np.asarray(units, dtype=float)
    if not np.isin(term, (0.0, 1.0)).all():
        return {}
    found: dict[str, float] = {}
    for arm, value in (("treated", 1.0), ("comparison", 0.0)):
        rows = (term == value) & (weights > 0)
        found[f"n_{arm}"] = round(units[rows].sum())
        found[f"events_{arm}"] = round(units[rows & (y != 0)].sum())
        if rows.any():
            found[f"mean_{arm}"] = float(np.average(y[rows], weights=weights[rows]))
    rows = (term == 0.0) & (weights > 0)
    found["ess_comparison"] = float(effective_sample_size(weights[rows]))
    return found


def _column(model: Any, term: str) -> Any:
    names, x = getattr(model, "exog_names", None), getattr(model, "exog", None)
    return x[:, list(names).index(term)] if x is not None and names and term in names else None


def _weights(model: Any) -> Any:
    # A generalised linear model keeps weights of its last step under the name that WLS has.
    held: Any = getattr(model, "iweights", None)
    held = getattr(model, "weights", None) if held is None else held
    return held if np.ndim(held) == 1 else None


def _place(names: Sequence[str], term: str) -> int:
    if term not in names:
        raise ParameterError(f"The model has no coefficient {term}. {suggest(term, names)}")
    if list(names).count(term) > 1:
        raise ParameterError(f"The model has several coefficients named {term}: rename one.")
    return list(names).index(term)


def _interacted(names: Sequence[str], term: str) -> bool:
    return any(term in name.split(":") for name in names if name != term)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _single(value: Any) -> float:
    """Return a number, the least of several; NaN where there is none."""
    values = np.atleast_1d(np.asarray(np.nan if value is None else value, dtype=float))
    return float(values.min()) if len(values) else math.nan


def _refuse(verb: str, given: object, example: str) -> None:
    raise ParameterError(
        f"{verb} takes a fitted model such as {example}, not a {type(given).__name__}."
    )
