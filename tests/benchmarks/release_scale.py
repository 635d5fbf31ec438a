"""How long the hiding takes at the size of England: python -m tests.benchmarks.release_scale

152 authorities, 9 regions and England, two groups, 15 outcomes and three results: counts of those
known and those with each, means and effects, of made-up families.
"""

from __future__ import annotations

import time

import numpy as np

from tests.attacks.world import REGIONS
from tfeval.release.ledger import Ledger
from tfeval.release.released import release_cells
from tfeval.report.cells import Cells, Maker, moved_by

OUTCOMES = 15


def england(count: int = 117_910, seed: int = 1) -> Cells:
    """Return cells of as many families as phase one had, in each group."""
    rng = np.random.default_rng(seed)
    size = rng.pareto(1.5, len(REGIONS)) + 0.3
    codes = np.array(list(REGIONS))[rng.choice(len(REGIONS), 2 * count, p=size / size.sum())]
    treated = np.arange(2 * count) < count
    maker = Maker(range(2 * count), codes, REGIONS)
    rates = np.geomspace(0.002, 0.4, OUTCOMES)
    values = [rng.poisson(rate, 2 * count).astype(float) for rate in rates]
    known = [rng.random(2 * count) < 0.97 for _ in rates]
    for level, area, parent, inside in maker.areas:
        place = {"level": level, "area": area, "parent": parent, "months": 12}
        for arm, which in (("treated", treated), ("comparison", ~treated)):
            own = inside & which
            maker.count(own, number="compared", arm=arm, **place)
            for at in range(OUTCOMES):
                here, name = own & known[at], f"o{at}"
                having = here & (values[at] > 0)
                maker.count(here, number=f"known:{name}", arm=arm, base="compared", **place)
                maker.count(having, here, number=f"with:{name}", arm=arm, outcome=name,
                            base=f"known:{name}", **place)  # fmt: skip
                n, events = int(here.sum()), int(having.sum())
                mean, moved = moved_by(values[at][here])
                maker.add(here, kind="mean", number=f"mean:{name}", outcome=name, arm=arm, n=n,
                          value=mean, events=events, least=min(events, n - events),
                          **moved, unit="events", **place)  # fmt: skip
    return maker.made()


def main() -> None:
    """Print how long it takes, and how many cells are hidden."""
    cells = england()
    begun, spent = time.time(), time.process_time()
    made = release_cells(cells, Ledger())
    reasons = made.frame["reason"].value_counts()
    print(f"{len(cells.frame)} cells of {len(cells.families)} families: "
          f"{time.time() - begun:.0f} s, {time.process_time() - spent:.0f} s of a processor; "
          f"hidden: {reasons.get('small', 0)} small, {reasons.get('secondary', 0)} more; all "
          f"{len(made.reached)} protected: {all(one.safe for one in made.reached)}")  # fmt: skip


if __name__ == "__main__":
    main()
