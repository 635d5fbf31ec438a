"""Reference numbers from the Python package DoubleML: the partially linear model, cross-fitted.

Run in an environment of its own:  python make_support_dose_golden.py     (some seconds)
Reads clustered_data.csv beside itself, writes support_dose.csv; versions are its first rows.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import doubleml
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

HERE = Path(__file__).parent
data = pd.read_csv(HERE / "clustered_data.csv")
fold = np.arange(len(data)) % 5
splits = [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(5)]
rows = [("version", name, version(name)) for name in ("DoubleML", "scikit-learn", "numpy")]
for outcome in ("y", "yb"):
    for case, model in (("linear", LinearRegression()), ("neighbours", KNeighborsRegressor(25))):
        held = doubleml.DoubleMLData(data, outcome, "x1", ["x2", "x3", "b1"])
        plr = doubleml.DoubleMLPLR(held, model, model, n_folds=5, draw_sample_splitting=False)
        plr.set_sample_splitting([splits])
        plr.fit()
        rows.append((f"{case}_{outcome}", "estimate", f"{plr.coef[0]:.12g}"))
        rows.append((f"{case}_{outcome}", "std_error", f"{plr.se[0]:.12g}"))
pd.DataFrame(rows, columns=["case", "quantity", "value"]).to_csv(
    HERE / "support_dose.csv", index=False
)
