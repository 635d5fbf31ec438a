"""How long a choice on the widgets of `tf.explore` takes, at 40,000 simulated families.

`python tests/benchmarks/explore_scale.py` prints seconds for each widget moved, on the clock and
of the processor: twice for a comparison group, whose cohort is taken from what was counted ahead
the first time. The first row builds everything; of boosted trees there is a row for a reader who
looks for some seconds before, and one for a reader who does not.
"""

from __future__ import annotations

from time import perf_counter, process_time, sleep

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
    "comparison": 2 * ("waiting", "below_threshold", "other_authorities", "not_yet_treated"),
    "horizon": (6, 18, 24, 12),
}  # fmt: skip


#: Seconds for which a reader looks before choosing what takes longest.
LOOKING = 8


def main() -> None:
    """Move every widget and print how long its parts took to follow."""
    began = perf_counter()
    panel = Panel(tf.explore(), ipywidgets)
    print(f"{'first look':44s}{perf_counter() - began:6.2f}")
    for name, values in MOVES.items():
        for value in values:
            began, worked = perf_counter(), process_time()
            panel.controls[name].value = value
            took, work = perf_counter() - began, process_time() - worked
            print(f"{name:18s}{value!s:26s}{took:6.2f}{work:6.2f}")
    for seconds, caliper in ((0, 0.3), (LOOKING, 0.4)):
        panel.controls["caliper"].value = caliper
        sleep(seconds)
        began = perf_counter()
        panel.controls["design"].value = "boosted"
        print(f"{f'boosted, after {seconds} seconds':44s}{perf_counter() - began:6.2f}")
        panel.controls["design"].value = "nearest"


if __name__ == "__main__":
    main()
