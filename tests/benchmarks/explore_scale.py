"""How long a choice on the widgets of `tf.explore` takes, at 40,000 simulated families.

`python tests/benchmarks/explore_scale.py` prints seconds for each widget moved, on the clock and
of the processor, for a reader who chooses at once. The first row builds everything. Comparison
groups, horizons and boosted trees, which are made ahead, have rows of their own for a reader who
looks for some seconds before.
"""

from __future__ import annotations

import asyncio
from time import perf_counter, process_time

import ipywidgets

import tfeval as tf
from tfeval.explorer.widgets import Panel

MOVES = {
    "outcome": ("offences", "all", "primary"),
    "estimator": ("difference", "covariance_adjusted", "doubly_robust", "adjusted"),
    "caliper": (0.1, 0.5, 0.2),
    "design": ("nearest_within_authority", "full", "inverse_propensity", "entropy",
               "overlap", "nearest"),
    "local_authority": ("Sefton", "Birmingham", "all"),
    "comparison": ("waiting", "below_threshold", "other_authorities", "not_yet_treated"),
    "horizon": (6, 18, 24, 12),
}  # fmt: skip


#: Seconds for which a reader looks before choosing what is made ahead, and what is chosen then.
LOOKING = 15
LOOKED = {"comparison": ("below_threshold", "other_authorities", "not_yet_treated"),
          "horizon": (18, 6, 12), "design": ("boosted", "nearest")}  # fmt: skip


def move(panel: Panel, name: str, value: object, words: str = "") -> None:
    """Move one widget and print how long its parts took to follow."""
    began, worked = perf_counter(), process_time()
    panel.controls[name].value = value
    took, work = perf_counter() - began, process_time() - worked
    print(f"{name:18s}{value!s:26s}{took:6.2f}{work:6.2f}{words}", flush=True)


async def main() -> None:
    """Move every widget, at once and after looking; as in a kernel, on an event loop."""
    began, worked = perf_counter(), process_time()
    panel = Panel(tf.explore(), ipywidgets)
    print(f"{'first look':44s}{perf_counter() - began:6.2f}{process_time() - worked:6.2f}")
    for name, values in MOVES.items():
        for value in values:
            move(panel, name, value)
    panel.controls["caliper"].value = 0.3
    move(panel, "design", "boosted")
    panel.controls["design"].value = "nearest"
    panel.controls["caliper"].value = 0.4
    for name, values in LOOKED.items():
        for value in values:
            await asyncio.sleep(LOOKING)
            move(panel, name, value, f"  after {LOOKING} seconds")


if __name__ == "__main__":
    asyncio.run(main())
