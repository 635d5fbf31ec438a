"""Reference numbers from the Python package DoubleML: effects on the treated, whole and by group.

Run in an environment of its own:  python make_moderation_golden.py     (some seconds)
Reads clustered_data.csv beside itself, writes moderation.csv; versions are its first rows.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import doubleml
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

HERE = Path(__file__).parent
data = pd.read_csv(HERE / "clustered_data.csv")
fold = np.arange(len(data)) % 5
splits = [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(5)]
#: Without a penalty that would count. Neighbours give probabilities of 0 and 1, which are trimmed.
MODELS = {
    "linear": (LinearRegression(), LogisticRegression(C=1e10, tol=1e-12, max_iter=10_000)),
    "neighbours": (KNeighborsRegressor(25), KNeighborsClassifier(25)),
}
NAMES = ("DoubleML", "scikit-learn", "numpy")
rows = [("version", name, version(name)) for name in NAMES]


def fitted(frame, outcome, models, *, known=None):
    """Fit the interactive model; with predictions that are known, on rows of one group."""
    held = doubleml.DoubleMLData(frame, outcome, "treat", ["x1", "x2", "x3", "b1"])
    irm = doubleml.DoubleMLIRM(held, *models, n_folds=5, score="ATTE", draw_sample_splitting=False)
    if known is None:
        irm.set_sample_splitting([splits])
        irm.fit(store_predictions=True)
    else:
        every = np.arange(len(frame))
        irm.set_sample_splitting([[(every[every % 2 != one], every[every % 2 == one])
                                   for one in range(2)]])  # fmt: skip
        irm.fit(external_predictions={"treat": known})
    return irm


for outcome in ("y", "yb"):
    for case, models in MODELS.items():
        whole = fitted(data, outcome, models)
        rows.append((f"{case}_{outcome}", "estimate", f"{whole.coef[0]:.12g}"))
        rows.append((f"{case}_{outcome}", "std_error", f"{whole.se[0]:.12g}"))
        parts = {}
        for group in (0, 1):
            own = (data["b1"] == group).to_numpy()
            known = {name: whole.predictions[name][own, :, 0]
                     for name in ("ml_g0", "ml_g1", "ml_m")}  # fmt: skip
            parts[group] = fitted(data[own].reset_index(drop=True), outcome, models, known=known)
        gap = parts[1].coef[0] - parts[0].coef[0]
        error = np.hypot(parts[0].se[0], parts[1].se[0])
        rows.append((f"{case}_{outcome}", "difference", f"{gap:.12g}"))
        rows.append((f"{case}_{outcome}", "difference_error", f"{error:.12g}"))
pd.DataFrame(rows, columns=["case", "quantity", "value"]).to_csv(
    HERE / "moderation.csv", index=False
)
