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
#: number by. Together they are at most a half, which is what the property of a unit rests on.
NOISE, MOVED = 0.05, 0.45
#: How far the exact value may lie from a released one, in units.
REACH = 0.5 + NOISE


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


def unit_of(largest: float, drop: float) -> float:
    """Return the unit that a mean or an effect is rounded to: a power of two.

    Parameters
    ----------
    largest, drop : float
        The largest contribution of a family, and the most that leaving out any nine moves it.

    Notes
    -----
    At least ten times `largest`, so that no family makes a tenth of a unit, and so large that
    `drop` is under `MOVED` of it. Powers of two lie in each other: whatever unit the number has
    without those nine families, it then moves by at most the larger of the two units. Ladders such
    as 1, 2, 5 do not have that.

    Examples
    --------
    >>> unit_of(0.001, 0.004)
    0.015625
    """
    least = max(DOMINANCE * largest, drop / MOVED)
    if not math.isfinite(least) or least <= 0:
        return math.nan
    return float(2.0 ** math.ceil(math.log2(least)))


def rounded(value: float, unit: float, drawn: float) -> float:
    """Return a value to the nearest unit, after noise.

    Examples
    --------
    >>> rounded(14.0, 10.0, 0.0), rounded(15.0, 10.0, -0.01), rounded(15.0, 10.0, 0.01)
    (10.0, 10.0, 20.0)
    """
    return float(unit * math.floor(value / unit + drawn + 0.5))


def digits_of(unit: float) -> int:
    """Return the decimals that tell multiples of a unit apart, and no more.

    Examples
    --------
    >>> digits_of(10.0), digits_of(0.5), digits_of(2**-7)
    (0, 1, 3)
    """
    return 0 if unit >= 1 else math.ceil(-math.log10(unit))
