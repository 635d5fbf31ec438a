"""What a release takes off the precision of effects: python -m tests.benchmarks.release_cost

Pairs of simulated families are drawn anew to the size of England and of large authorities; by
area values are capped. For each size: the unit in standard errors, how far an effect can move and
moves on average, what rounding adds to the variance, and how many effects are hidden. Of England
also what a cap like that of areas would do: how far it moves an effect, to another one.
"""

from __future__ import annotations

import numpy as np

from tests.report.analyses import analysis
from tfeval.release.keys import NOISE, REACH, unit_of
from tfeval.report.cells import FEW, least_of, more_than_one, most, tenth
from tfeval.report.chapters.cells import cap_of
from tfeval.report.chapters.impact import primary_outcomes

SIZES = {"England": 117_910, "authority": 1_385}
DRAWS = 20


def unit_and_error(arms: list[np.ndarray]) -> tuple[float, float]:
    """Return the unit of a difference in means, and its standard error."""
    pulls = np.concatenate([(own - own.mean()) / len(own) for own in arms])
    n = min(map(len, arms))
    left = tenth(pulls) * (1 - FEW / len(pulls))
    unit = unit_of(float(np.abs(pulls).max()), most(pulls) / (1 - 1 / n), left)
    return unit, float(np.sqrt((pulls**2).sum()))


def main() -> None:
    """Print a line for each size."""
    found = analysis()
    outcomes, rng = found.outcomes(), np.random.default_rng(1)
    kept, treated = found.design.weights > 0, found.study.treated
    for where, count in SIZES.items():
        rows, hidden, of = [], 0, {}
        # By area there are effects on the primary outcomes alone.
        for name in outcomes if where == "England" else primary_outcomes(outcomes, found.plan):
            whole = outcomes[name].to_numpy(dtype=float)
            arms = [own[~np.isnan(own)] for own in (whole[kept & treated], whole[kept & ~treated])]
            cap = cap_of(np.concatenate(arms)) if where != "England" else None
            for _ in range(DRAWS):
                drawn = [rng.choice(own, count) for own in arms]
                drawn = drawn if cap is None else [own.clip(max=cap.at) for own in drawn]
                least = min(least_of(own) for own in drawn)
                if where != "England":
                    least = min(least, *map(more_than_one, drawn))
                if least <= FEW:
                    hidden += 1
                    continue
                unit, error = unit_and_error(drawn)
                added = (unit / error) ** 2 * (1 / 12 + NOISE**2 / 3)
                rows.append((unit / error, added))
                of.setdefault(str(name), []).append(REACH * unit / error)
        unit, added = np.array(rows).T
        print(f"{where}, {count:,} pairs: unit {np.median(unit):.2f} errors ({unit.min():.2f} to "
              f"{unit.max():.2f}); moves by {REACH * unit.max():.2f} errors at most, "
              f"{np.sqrt((unit**2).mean() / 12):.2f} in the quadratic mean; variance "
              f"+{np.median(added):.1%} ({added.min():.1%} to {added.max():.1%}); "
              f"{hidden} of {hidden + len(rows)} hidden")  # fmt: skip
        print("  " + ", ".join(f"{name} {np.median(one):.2f}" for name, one in of.items()))
    for name in outcomes:
        whole = outcomes[name].to_numpy(dtype=float)
        arms = [own[~np.isnan(own)] for own in (whole[kept & treated], whole[kept & ~treated])]
        cap = cap_of(np.concatenate(arms))
        cut = arms if cap is None else [own.clip(max=cap.at) for own in arms]
        (one, other), (first, second) = ([own.mean() for own in pair] for pair in (cut, arms))
        error = np.sqrt(sum(own.var() for own in arms) / SIZES["England"])
        if moved := abs(one - other - first + second) / error:
            print(f"  {name}: top-coded, England's effect moves by {moved:.2f} errors")


if __name__ == "__main__":
    main()
