"""Cell keys: how a number is rounded hangs on the families it is of and on nothing else.

As in the Office for National Statistics' cell key method every family has a record key, and a set
of families the sum of theirs, so that the same families have the same number in every table, area,
parameter and edition. Reference: Fraser and Wooton (2005), Joint UNECE/Eurostat work session on
statistical data confidentiality; ONS (2021), Protecting personal data in Census 2021 results.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

from tfeval.display.tables import THRESHOLD

#: Families by which counts are released: nine left out move one by at most a unit.
COUNT_UNIT = THRESHOLD
#: A unit is at least so many times what one family can move the number by.
DOMINANCE = 10.0
#: A hidden mean or effect must stay unknown by so many times its largest contribution.
PROTECTED = 2.0
#: Noise before rounding, to either side, in units; and the most that nine families may move a
#: number by, whatever unit it then has. Together they are a half, on which the unit rests.
NOISE, MOVED = 0.02, 0.48
#: How far the exact value may lie from a released one, in units.
REACH = 0.5 + NOISE
#: An effect that rounding may move by more of its error is marked on its page.
MARKED = 0.1


def record_keys(families: np.ndarray, key: bytes) -> np.ndarray:
    """Return a key of each family, that only who holds `key` can make, shape (families,).

    Parameters
    ----------
    families : ndarray of uint64
        As from `tfeval.report.cells.family_hashes`.
    key : bytes
        Of the ledger.
    """
    packed = b"".join(
        hashlib.blake2b(one.tobytes(), digest_size=8, key=key).digest() for one in families
    )
    return np.frombuffer(packed, dtype="<u8").astype(np.uint64)


def cell_key(keys: np.ndarray) -> int:
    """Return the key of a set of families: the sum of their record keys, modulo 2^64.

    Examples
    --------
    >>> a, b = np.array([2**63, 5], dtype=np.uint64), np.array([5, 2**63], dtype=np.uint64)
    >>> cell_key(a) == cell_key(b)
    True
    """
    return int(keys.sum(dtype=np.uint64))


def noise(number: str, cell: int, key: bytes) -> float:
    """Return the noise of a number of a set, in units: always the same, uniform over +-`NOISE`."""
    text = f"{number}\0{cell}".encode()
    drawn = int.from_bytes(hashlib.blake2b(text, digest_size=8, key=key).digest(), "big")
    return NOISE * (2 * drawn / 2**64 - 1)


def unit_of(largest: float, drop: float, tenth: float = 0.0) -> float:
    """Return the unit that a mean or an effect is rounded to: a power of two.

    Parameters
    ----------
    largest, drop : float
        The largest contribution of a family, and the most that leaving out any nine moves it.
    tenth : float, default 0
        What the largest contribution is at least, whichever nine are left out.

    Notes
    -----
    At least ten times `largest`, so that no family makes a tenth of a unit, and so large that
    nine families move what is said by at most one of the larger of both units. Powers of two lie
    in each other, so what is said moves by a multiple of the smaller unit v, and by less than
    (u + v) / 2 for rounding, `NOISE` (u + v) for noise, and `drop`. That is under u + v, and so at
    most u, where `drop` is under `MOVED` (u + v). The smaller v, the less may be moved; `tenth`
    tells how small it can be. Ladders such as 1, 2, 5 do not lie in each other.

    Examples
    --------
    >>> unit_of(0.001, 0.007), unit_of(0.001, 0.009, 0.001)
    (0.015625, 0.015625)
    >>> unit_of(0.001, 0.009)
    0.03125
    """
    if not (math.isfinite(largest) and math.isfinite(drop)) or max(largest, drop) <= 0:
        return math.nan
    unit, next_one = _two(max(DOMINANCE * largest, drop)), _two(DOMINANCE * tenth)
    while drop >= MOVED * (unit + min(unit, next_one)):
        unit *= 2
    return unit


def _two(value: float) -> float:
    """Return the power of two that is no less."""
    return float(2.0 ** math.ceil(math.log2(value))) if value > 0 else 0.0


def rounded(value: float, unit: float, drawn: float) -> float:
    """Return a value to the nearest unit, after noise.

    Examples
    --------
    >>> rounded(14.0, 10.0, 0.0), rounded(15.0, 10.0, -0.01), rounded(15.0, 10.0, 0.01)
    (10.0, 10.0, 20.0)
    """
    return float(unit * math.floor(value / unit + drawn + 0.5))


def moves(unit: str | float, error: str | float) -> float:
    """Return how far rounding may have moved an effect at most, in units of its error.

    Examples
    --------
    >>> round(moves(0.25, 1.0), 2), moves("0.25", "")
    (0.13, nan)
    """
    known = float(error or math.nan)
    return REACH * float(unit) / known if known > 0 else math.nan


def digits_of(unit: float) -> int:
    """Return the decimals that tell multiples of a unit apart, and no more.

    Examples
    --------
    >>> digits_of(10.0), digits_of(0.5), digits_of(2**-7)
    (0, 1, 3)
    """
    return 0 if unit >= 1 else math.ceil(-math.log10(unit))
