"""Simulated frames with a known model of treatment."""

from __future__ import annotations

import numpy as np
import pandas as pd


def simulated(
    size: int, count: int = 4, seed: int = 0, strength: float = 0.5
) -> tuple[pd.DataFrame, list[str]]:
    """Return a frame with a known logistic model of treatment, and its covariates' names."""
    rng = np.random.default_rng(seed)
    names = [f"x{place}" for place in range(count)]
    frame = pd.DataFrame(rng.normal(size=(size, count)), columns=names)
    truth = strength * np.cos(np.arange(count))
    score = 1 / (1 + np.exp(1.0 - frame.to_numpy() @ truth))
    frame["treated"] = (rng.random(size) < score).astype(int)
    frame["sw"] = rng.uniform(0.5, 3.0, size)
    frame["id"] = rng.permutation(size) + 10_000
    frame["family"] = frame["id"] // 3
    return frame, names
