"""What areas against weighted areas found: effect, weights, path, error, and what bears on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from tfeval.display.charts import line_chart
from tfeval.display.figures import Chart
from tfeval.display.names import METHODS, capital, words
from tfeval.display.rich import Rich
from tfeval.display.words import in_digits, significant
from tfeval.errors import ParameterError
from tfeval.impact.inference.rules import ESTIMATED, NO_ERROR, NO_VARIATION
from tfeval.impact.panel.panel import drawing_order
from tfeval.impact.panel.two_way_weights import (
    Block,
    Drawn,
    Solved,
    cells_of,
    left_out,
    placebo,
    resampled,
    together,
    without_each,
)

#: A fit before this many times the median placebo's is poor. Abadie and others (2010) leave out
#: placebos whose squared gaps before are 20, 5 or 2 times those of the treated.
POOR_FIT = 2.0
#: One unit with more than this share of the weight carries the comparison.
MOST_OF_THE_WEIGHT = 0.5
#: An error this small, relative to the outcome's largest value, is rounding.
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class SyntheticEffect(Rich):
    """An effect on treated units, beside their weighted comparison.

    Attributes
    ----------
    outcome : str
    units : Index
        Comparison units, then treated units, those first treated earliest first.
    times : ndarray of int
    first : tuple of int
        First treated periods, one a block.
    blocks : tuple of Block
        Comparison units beside the units first treated in one period.
    solved : tuple of Solved
        Weights of each block.
    dropped : int
        Units left out for a missing cell.
    slopes : Series
        Of the covariates, by name.
    errors, draws, seed, level
        As in `synthetic`.
    simulated : bool
        Whether the records are simulated.
    """

    outcome: str
    units: pd.Index
    times: np.ndarray
    first: tuple[int, ...]
    blocks: tuple[Block, ...]
    solved: tuple[Solved, ...]
    dropped: int
    slopes: pd.Series
    errors: str
    draws: int
    seed: int
    level: float
    simulated: bool

    @property
    def n_treated(self) -> int:
        """How many units are treated."""
        return sum(len(block.treated) for block in self.blocks)

    @property
    def n_comparison(self) -> int:
        """How many comparison units there are, whatever their weight."""
        return len(self.blocks[0].comparison)

    @property
    def _shares(self) -> np.ndarray:
        cells = cells_of(self.blocks)
        return cells / cells.sum()

    @cached_property
    def _own(self) -> Drawn:
        return together(self.solved, cells_of(self.blocks))

    # ------------------------------------------------------------------ the effect

    @property
    def estimate(self) -> float:
        """The mean effect over the treated cells, in the outcome's unit."""
        return float(self._own.effect[0])

    @cached_property
    def unit_weights(self) -> pd.Series:
        """The weight of each comparison unit; over blocks, by their treated cells."""
        weights = sum(
            share * one.units[0] for share, one in zip(self._shares, self.solved, strict=True)
        )
        return pd.Series(weights, self.units[: self.n_comparison], name="weight")

    @cached_property
    def time_weights(self) -> pd.Series:
        """The weight of each period before; over blocks, by their treated cells.

        All are 0 in a synthetic control, which compares levels.
        """
        weights = np.zeros(self.blocks[-1].before)
        for share, block, one in zip(self._shares, self.blocks, self.solved, strict=True):
            weights[: block.before] += share * one.times[0]
        return pd.Series(weights, pd.Index(self.times[: len(weights)], name="time"), name="weight")

    @property
    def effective_units(self) -> float:
        """How many comparison units of equal weight there would be: 1 over the sum of squares."""
        return float(1 / (self.unit_weights**2).sum())

    @cached_property
    def path(self) -> pd.DataFrame:
        """The treated beside the synthetic comparison, a row a period and first treated period.

        Columns `first`, `time`, `treated`, `synthetic`, `gap` and `weight`: the period's weight
        before, and 1 over the number of periods after. But for a synthetic control the comparison
        is moved to the level of the treated over the weighted periods before, so that `gap` after
        averages to the estimate in every kind. All are in the outcome's unit, such as an index.
        """
        rows = []
        for first, block, one in zip(self.first, self.blocks, self.solved, strict=True):
            treated, gap = block.treated.mean(axis=0), one.gaps[0]
            late = len(self.times) - block.before
            weight = np.concatenate([one.times[0], np.full(late, 1 / late)])
            rows.append(
                pd.DataFrame({"first": first, "time": self.times, "treated": treated,
                              "synthetic": treated - gap, "gap": gap, "weight": weight})
            )  # fmt: skip
        return pd.concat(rows, ignore_index=True)

    # ------------------------------------------------------------------ its error

    @cached_property
    def sets(self) -> np.ndarray:
        """Sets of comparison units, as many as are treated: all, or `draws` at random."""
        size, donors = self.n_treated, self.n_comparison
        if donors <= size:
            raise ParameterError(
                f"Placebos need more comparison units than the {size} treated, and there are "
                f'{donors}: take errors="jackknife" or "bootstrap".'
            )
        if len(self.blocks) == 1 and comb(donors, size) <= self.draws:
            return np.array(list(combinations(range(donors), size)))
        rng = np.random.default_rng(self.seed)
        if size == 1:
            return np.arange(donors)[:, None]
        drawn = np.argsort(rng.random((self.draws, donors)), axis=1)
        return drawing_order(self.blocks[0].comparison)[drawn[:, :size]]

    @cached_property
    def drawn(self) -> Drawn:
        """Effects and fits with `sets` of comparison units in place of the treated."""
        return placebo(self.blocks, self.sets)

    @cached_property
    def jackknife(self) -> np.ndarray:
        """Estimates with each of `units` left out and weights held; NaN where there is none."""
        return left_out(self.blocks, self.solved)

    @cached_property
    def bootstrap(self) -> np.ndarray:
        """Estimates in samples of units drawn with replacement, weights made again."""
        size, donors = len(self.units), self.n_comparison
        rng = np.random.default_rng(self.seed)
        every = [self.blocks[0].comparison, *(block.treated for block in self.blocks)]
        place = np.argsort(drawing_order(np.concatenate(every)))
        kept: list[np.ndarray] = []
        while len(kept) < self.draws:
            counts = rng.multinomial(size, np.full(size, 1 / size)).astype(float)[place]
            if 0 < counts[:donors].sum() < size:
                kept.append(counts)
        return resampled(self.blocks, np.stack(kept))

    @cached_property
    def _spread(self) -> float:
        if self.errors in ("placebo", "permutation"):
            return float(self.drawn.effect.std())
        if min(len(block.treated) for block in self.blocks) < 2:
            raise ParameterError(
                f"Errors {self.errors} need two treated units or more with each first treated "
                'period: take errors="placebo" or "permutation".'
            )
        values = self.bootstrap if self.errors == "bootstrap" else self.jackknife
        inflated = 1.0 if self.errors == "bootstrap" else len(values) - 1.0
        return float(np.sqrt(inflated) * values.std())

    @property
    def status(self) -> str:
        """Whether it has an error, or why not: a key of `inference.rules`."""
        if self._spread <= _ROUNDING * np.abs(self.path["treated"]).max():
            return NO_VARIATION
        return ESTIMATED if np.isfinite(self._spread) else NO_ERROR

    @property
    def std_error(self) -> float:
        """The standard error; that of permutations is the placebos'. NaN if there is none."""
        return self._spread if self.status == ESTIMATED else float("nan")

    @property
    def freedom(self) -> float:
        """Degrees of freedom of t: comparison units less 1 for placebos, else infinite."""
        return self.n_comparison - 1.0 if self.errors == "placebo" else np.inf

    @cached_property
    def p_value(self) -> float:
        """The two-sided p-value; of permutations the share of sets, the treated among them."""
        if self.status != ESTIMATED:
            return float("nan")
        if self.errors == "permutation":
            return _share_at_least(np.abs(self.drawn.effect), abs(self.estimate))
        from scipy.special import stdtr  # noqa: PLC0415

        return float(2 * stdtr(self.freedom, -abs(self.estimate) / self.std_error))

    @cached_property
    def _reach(self) -> float:
        level = self.level
        if self.errors != "permutation" or self.status != ESTIMATED:
            from scipy.special import stdtrit  # noqa: PLC0415

            return float(stdtrit(self.freedom, (1 + level) / 2)) * self.std_error
        # An effect is refused where too few sets are as far from 0 as the estimate is from it.
        sizes = np.sort(np.abs(self.drawn.effect))[::-1]
        fewest = int(np.floor((1 - level) * (len(sizes) + 1) + 1e-9))
        return float(sizes[fewest - 1]) if fewest >= 1 else float("nan")

    @property
    def conf_low(self) -> float:
        """The lower end of the interval; NaN where the sets are too few for its level."""
        return self.estimate - self._reach

    @property
    def conf_high(self) -> float:
        """The upper end of the interval."""
        return self.estimate + self._reach

    # ------------------------------------------------------------------ what bears on it

    @cached_property
    def fit_before(self) -> pd.Series:
        """The root mean squared gap before: `gap`, the median `placebo`'s, and their `ratio`.

        About its own mean where a difference in level is allowed for. Placebos are `sets`, or
        where there are none each comparison unit in turn.
        """
        gap = float(self._own.fit[0])
        enough = self.n_comparison > self.n_treated
        others = self.drawn.fit if enough else self.placebos["fit_before"].iloc[1:]
        median = float(np.median(others))
        ratio = gap / median if median > 0 else float("nan")
        return pd.Series({"gap": gap, "placebo": median, "ratio": ratio}, name=self.outcome)

    @cached_property
    def placebos(self) -> pd.DataFrame:
        """Each comparison unit treated in turn, the treated (their mean) in the first row.

        Columns `estimate`, `fit_before`, `after` (root mean squared gap), `ratio` of the two
        (Abadie, Diamond and Hainmueller 2010), and `p_value`: the share of rows, its own among
        them, with a ratio at least as high.
        """
        size = self.n_comparison
        if size < 2:
            raise ParameterError("Placebos in turn need two comparison units or more.")
        alone = [
            Block(block.kind, block.comparison, block.treated[:1], block.before, block.noise)
            for block in self.blocks
        ]
        turn = placebo(alone, np.repeat(np.arange(size)[:, None], len(alone), axis=1))
        rows = {
            "estimate": np.append(self.estimate, turn.effect),
            "fit_before": np.append(self._own.fit, turn.fit),
            "after": np.append(self._own.after, turn.after),
        }
        with np.errstate(divide="ignore", invalid="ignore"):
            rows["ratio"] = rows["after"] / rows["fit_before"]
        ratios = rows["ratio"]
        rows["p_value"] = np.array([np.mean(ratios >= one * (1 - 1e-12)) for one in ratios])
        return pd.DataFrame(rows, pd.Index(["treated", *self.units[:size]], name="unit"))

    @property
    def influence(self) -> np.ndarray:
        """Each unit's influence on the estimate, in the order of `units`.

        Jackknife pseudo-values with weights held, less their mean; where there are none, as with
        one treated unit, the effects of each comparison unit treated in turn. Scaled so that the
        sum of squares times n/(n - 1) is the variance by the errors that were asked for: the scale
        is theirs, and how outcomes vary together is the jackknife's.
        """
        size, donors = len(self.units), self.n_comparison
        values = self.jackknife.mean() - self.jackknife
        if np.isnan(values).any():
            alone = self.placebos["estimate"].to_numpy()[1:]
            values = np.append(alone - alone.mean(), np.zeros(size - donors))
        spread = np.sqrt((values**2).sum() * size / (size - 1))
        return values * (self.std_error / spread if spread > 0 else np.nan)

    def diagnostic(self) -> pd.DataFrame:
        """Return what bears on the comparison, in one row.

        Returns
        -------
        DataFrame
            `fit_before`, `fit_placebo` and `fit_ratio` as in `fit_before`; `effective_units`;
            `largest_weight` of a comparison unit; `without_low` and `without_high`, the range of
            the estimate with each comparison unit left out in turn and weights made again;
            `poor_fit`, whether the ratio is over 2, as where the treated lie outside what weights
            can reach; `one_unit`, whether one unit has most of the weight; `changes_sign`, whether
            leaving one unit out turns the estimate round.
        """
        fit = self.fit_before
        without = np.append(without_each(self.blocks).effect, self.estimate)
        largest = float(self.unit_weights.max())
        row = {
            "outcome": self.outcome, "fit_before": fit["gap"], "fit_placebo": fit["placebo"],
            "fit_ratio": fit["ratio"], "effective_units": self.effective_units,
            "largest_weight": largest, "without_low": without.min(),
            "without_high": without.max(), "poor_fit": bool(fit["ratio"] > POOR_FIT),
            "one_unit": largest > MOST_OF_THE_WEIGHT,
            "changes_sign": bool(without.min() < 0 < without.max()),
        }  # fmt: skip
        return pd.DataFrame([row])

    def row(self) -> dict[str, object]:
        """Return the row of a table of effects.

        How many units there are is not in it: they are areas, and the table hides the effects of
        few as if they were families.
        """
        last = self.path["time"] >= self.path["first"]
        late = self.path[last].groupby("first")[["treated", "synthetic"]].mean()
        treated, synthetic = self._shares @ late.to_numpy()
        return {
            "outcome": self.outcome, "estimate": self.estimate, "std_error": self.std_error,
            "conf_low": self.conf_low, "conf_high": self.conf_high, "p_value": self.p_value,
            "errors": self.errors, "freedom": self.freedom, "mean_treated": treated,
            "mean_comparison": synthetic, "ess_comparison": self.effective_units,
            "n_missing": self.dropped, "status": self.status,
        }  # fmt: skip

    # ------------------------------------------------------------------ for readers

    def plot(self, title: str | None = None) -> Chart:
        """Draw the treated beside the weighted comparison; over blocks, by their treated cells.

        Parameters
        ----------
        title : str, optional
        """
        blocks = self.path.groupby("first", sort=True)[["treated", "synthetic"]]
        parts = [block.to_numpy() for _, block in blocks]
        values = np.tensordot(self._shares, np.stack(parts), axes=1)
        frame = pd.DataFrame(
            values, pd.Index(self.times, name="period"), ["Treated", "Weighted comparison"]
        )
        began = ", ".join(map(str, self.first))
        heading = (
            title
            or f"{capital(self.outcome)} of the treated, from {began}, and of their comparison"
        )
        heading = f"Simulated records: {heading}" if self.simulated else heading
        gap = self.estimate
        alt = (
            f"Line chart of two lines over {len(self.times)} periods. From {began} on the treated "
            f"are on average {significant(abs(gap), 3)} {'above' if gap > 0 else 'below'} the "
            "weighted comparison."
        )
        return line_chart(frame, title=heading, alt=alt, value_format=in_digits(4))

    def __repr__(self) -> str:
        kind = words(METHODS, self.blocks[0].kind)
        return (
            f"{self.outcome}: effect {significant(self.estimate, 4)} by {kind}, beside "
            f"{significant(self.effective_units, 3)} effective comparison units"
        )


def _share_at_least(sizes: np.ndarray, own: float) -> float:
    return float((1 + (sizes >= own * (1 - 1e-12)).sum()) / (1 + len(sizes)))
