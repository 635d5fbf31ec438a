"""What it would be worth to know more before deciding, in pounds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfeval.money.model import Array, Model, Parameters

#: Groups of what is not known, in the order shown.
UNKNOWNS = ("effects", "unit costs", "persistence", "programme costs")


def perfect_information(values: Array) -> float:
    """Return the expected value of perfect information about a yes or no.

    Parameters
    ----------
    values : ndarray, shape (draws,)
        Net present value of yes; no is worth 0.

    Returns
    -------
    float
        Mean of the better choice in each draw, less the better of the two means; pounds.

    References
    ----------
    Raiffa and Schlaifer (1961), Applied Statistical Decision Theory: for a normal value it is
    the unit normal loss times the standard deviation.

    Examples
    --------
    >>> perfect_information(np.array([-10.0, 30.0]))
    5.0
    """
    return float(np.maximum(values, 0.0).mean() - max(values.mean(), 0.0))


def expected_given(model: Model, drawn: Parameters) -> dict[str, Array]:
    """Return the net present value expected, given each group of parameters in turn.

    The value is a product of effects, unit costs and years of effect, less costs, and the groups
    are drawn independently of each other. So the expectation over the others is that product
    with their means in it: exact, where a regression of the draws (Strong, Oakley and Brennan
    2014) would approximate it.

    Returns
    -------
    dict of str to ndarray, shape (draws,)
        One for each of `UNKNOWNS`.
    """
    cut, years = model.reduction(drawn.effect), model.years_of(drawn.persistence)
    worth, cost = model.worth(drawn.amount), model.cost(drawn.cost)
    mean_cut, mean_years, mean_worth = (part.mean(axis=0) for part in (cut, years, worth))
    mean_cost = cost.mean()
    benefit = float((mean_cut * mean_years * mean_worth).sum())
    return {
        "effects": cut @ (mean_years * mean_worth) - mean_cost,
        "unit costs": worth @ (mean_cut * mean_years) - mean_cost,
        "persistence": years @ (mean_cut * mean_worth) - mean_cost,
        "programme costs": benefit - cost,
    }


def information_values(model: Model, drawn: Parameters, values: Array) -> pd.DataFrame:
    """Return the expected value of knowing each group perfectly, and of knowing all.

    Returns
    -------
    DataFrame
        `known`, `value` (pounds, present value). What is known together is worth more, or less,
        than the sum of its parts.

    References
    ----------
    Strong, Oakley and Brennan (2014), Estimating multiparameter partial expected value of
    perfect information from a probabilistic sensitivity analysis sample, Medical Decision
    Making 34(3), equation 2.
    """
    rows = [(name, perfect_information(part)) for name, part in
            expected_given(model, drawn).items()]  # fmt: skip
    rows.append(("everything", perfect_information(values)))
    return pd.DataFrame(rows, columns=["known", "value"])
