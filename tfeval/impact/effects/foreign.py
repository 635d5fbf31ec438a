"""Other people's models as effects: a coefficient of statsmodels or pyfixest becomes a row."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd

from tfeval.display.names import scale_words
from tfeval.errors import ParameterError, names_settings
from tfeval.impact.design.design import Design
from tfeval.impact.effects.coefficients import (
    AT_ZERO,
    COEFFICIENT,
    Coefficient,
    freedom_of,
    of_pyfixest,
    of_statsmodels,
)
from tfeval.impact.effects.columns import check_level
from tfeval.impact.inference.rules import ESTIMATED, NO_ERROR


class FromModels:
    """The ways from other people's fitted models to a table of effects."""

    @classmethod
    @names_settings
    def from_statsmodels(
        cls,
        result: Any,
        term: str = "treated",
        *,
        outcome: str | None = None,
        design: Design | None = None,
        months: int | None = None,
        population: str = "all",
        estimand: str | None = None,
        level: float = 0.95,
    ) -> Self:
        """Return a coefficient of a fitted statsmodels model as a table of effects of one row.

        Parameters
        ----------
        result : statsmodels results
            Of OLS, WLS, GLM, Logit or any model with one equation: what `fit` returned, with the
            errors that were asked of it.
        term : str
            The coefficient, as the model names it.
        outcome : str, optional
            By default the model's own name for it.
        design : Design, optional
            The design whose `to_frame` the model was fitted to: gives the estimand (where the term
            is the treatment, in a model without interactions of it), notes, and whether records
            are simulated.
        months : int, optional
            Horizon of the outcome.
        population : str
        estimand : str, optional
            In place of the design's.
        level : float
            Of the interval.

        Returns
        -------
        Effects
            Estimate, error, interval, p and degrees of freedom are the model's. Where the term is
            0 or 1 in each row, counts and (weighted) means are those of the rows with 1 and with
            0, so that small numbers are hidden as in any other table.

        Raises
        ------
        ParameterError
            If there is no such coefficient, or what is given is no fitted model of one equation.

        Notes
        -----
        A coefficient on another scale (a log odds ratio) stays what it is: its `estimand` is
        "coefficient", and columns `term` and `scale` say of what. It is no difference in the
        outcome's unit, so not for an appraisal.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from tfeval.impact.effects.effects import Effects
        >>> x = pd.DataFrame({"const": 1.0, "treated": [0, 1] * 20})
        >>> y = pd.Series(np.arange(40.0) % 7, name="offences")
        >>> found = Effects.from_statsmodels(sm.OLS(y, x).fit(cov_type="HC1"), "treated")
        >>> found.to_frame()[["outcome", "estimate", "n_treated", "errors"]].round(3)
            outcome  estimate  n_treated  errors
        0  offences     -0.05         20  robust
        """
        check_level(level)
        read = of_statsmodels(result, str(term), level)
        made: Callable[..., Self] = cls
        return made(**as_fields(
            read, term, outcome=outcome, design=design, months=months, population=population,
            estimand=estimand, level=level,
        ))  # fmt: skip

    @classmethod
    @names_settings
    def from_pyfixest(
        cls,
        result: Any,
        term: str = "treated",
        *,
        outcome: str | None = None,
        design: Design | None = None,
        months: int | None = None,
        population: str = "all",
        estimand: str | None = None,
        level: float = 0.95,
    ) -> Self:
        """Return a coefficient of a fitted pyfixest model as a table of effects of one row.

        Parameters
        ----------
        result : pyfixest model
            As from `feols`, `fepois` or `feglm`, of one formula. Read by its methods `coef`, `se`,
            `pvalue` and `confint`; tfeval does not need pyfixest itself.
        term, outcome, design, months, population, estimand, level
            As in `from_statsmodels`.

        Returns
        -------
        Effects

        Raises
        ------
        ParameterError
            If there is no such coefficient, or what is given is no fitted model of one formula.
        """
        check_level(level)
        read = of_pyfixest(result, str(term), level)
        made: Callable[..., Self] = cls
        return made(**as_fields(
            read, term, outcome=outcome, design=design, months=months, population=population,
            estimand=estimand, level=level,
        ))  # fmt: skip


def as_fields(
    read: Coefficient,
    term: str,
    *,
    outcome: str | None,
    design: Design | None,
    months: int | None,
    population: str,
    estimand: str | None,
    level: float,
) -> dict[str, Any]:
    """Return what a table of effects is made of, for one coefficient."""
    name = outcome or read.outcome
    if not name:
        raise ParameterError('The model does not name its outcome: say outcome="...".')
    if design is not None and not isinstance(design, Design):
        raise ParameterError("design is one from match, weight or unweighted.")
    ours = design is not None and term in ("treated", design.study.treated_name)
    whose = COEFFICIENT
    if read.interacted and not read.scale:
        whose = AT_ZERO
    elif design is not None and ours and not read.scale:
        whose = design.estimand
    sure = math.isfinite(read.error) and read.error > 0
    error = read.error if sure else math.nan
    row = {
        "outcome": name, "population": population, "months": months, "estimand": estimand or whose,
        "term": term, "scale": read.scale, "design": "" if design is None else design.method,
        "method": read.method, "outcome_model": read.outcome_model, "errors": read.errors,
        "cluster": read.cluster, "estimate": read.estimate,
        "std_error": error, "clusters": read.clusters, "freedom": freedom_of(read) if sure else
        math.nan, "conf_low": read.low if sure else math.nan,
        "conf_high": read.high if sure else math.nan, "p_value": read.p if sure else math.nan,
        "status": ESTIMATED if sure else NO_ERROR, **_counts(read, design),
    }  # fmt: skip
    notes = [f"By another package's model, as it was fitted: {read.model}."]
    scale = scale_words(read.scale) if read.scale else ""
    if scale:
        notes.append(f"A {scale}, not a difference in the outcome's own unit: not for money.")
    held = {} if design is None else design.settings
    return {
        "frame": pd.DataFrame([row]), "joint": np.array([[error**2]]), "level": level,
        "settings": {**held, "term": term, "rows": read.rows,
                     **({"units": {name: scale}} if scale else {})},
        "notes": (*(() if design is None else design.notes), *notes),
        "simulated": design is not None and design.study.simulated,
    }  # fmt: skip


def _counts(read: Coefficient, design: Design | None) -> dict[str, float]:
    found = dict(read.arms)
    if design is not None:
        # A unit with several rows counts once, and one whose outcome is missing not at all.
        for arm, treated in (("n_treated", True), ("n_comparison", False)):
            found[arm] = min(found.get(arm, math.inf), design.kept(treated))
    return found
