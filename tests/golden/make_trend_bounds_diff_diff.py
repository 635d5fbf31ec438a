"""Makes trend_bounds_diff_diff.csv: a second voice, from the Python package diff-diff.

diff-diff 3.13.0, numpy 2 and scipy 1, in an environment of its own (it is no dependency):
    python tests/golden/make_trend_bounds_diff_diff.py tests/golden
Its fixed-length intervals (`honest_did`) and the straight trends that Wald's test of the
coefficients before detects with a power (`pretrends`), for the event studies of
trend_bounds_data.csv.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from diff_diff.honest_did import _flci_solve
from diff_diff.pretrends import PreTrendsPower

FOLDER = Path(sys.argv[1])
BENDS = {"bc": (0, 0.01, 0.02, 0.05), "ours": (0, 0.05, 0.1, 0.3)}
WEIGHTS = {"bc": np.full(4, 1 / 4), "ours": np.array([0.0, *[1 / 6] * 6])}

rows = []
for case, study in pd.read_csv(FOLDER / "trend_bounds_data.csv").groupby("case"):
    beta = study["beta"].to_numpy()
    sigma = study.filter(regex=r"^v\d").to_numpy()[:, : len(beta)]
    away = (study["period"] - study["base"]).to_numpy()
    before = int((away < 0).sum())
    for bend in BENDS[case]:
        low, high, _ = _flci_solve(beta[:before], beta[before:], sigma, WEIGHTS[case], before,
                                   len(beta) - before, bend, 0.05)  # fmt: skip
        rows += [(case, bend, "low", low), (case, bend, "high", high)]
    for power in (0.5, 0.8):
        test = PreTrendsPower(alpha=0.05, power=power, pretest_form="wald")
        slope = test._compute_mdv_wald(away[:before].astype(float), sigma[:before, :before])
        rows.append((case, power, "slope", slope))
made = pd.DataFrame(rows, columns=["case", "at", "quantity", "value"])
made.to_csv(FOLDER / "trend_bounds_diff_diff.csv", index=False, float_format="%.12g")
