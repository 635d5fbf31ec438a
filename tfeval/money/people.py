"""How many people a family has: what turns effects on people into effects on families.

Neither evaluation's numbers of people in a family were seen. What was published is that four in
ten families had three or more children; the rest is assumed, and is said to be.
"""

from __future__ import annotations

from dataclasses import dataclass

from tfeval.programme.published import Source, figure

_CHILD_YEARS, _JUVENILE_YEARS = 18, 8


@dataclass(frozen=True)
class PeopleInFamily:
    """People of one kind in an average family, as a range.

    Attributes
    ----------
    population : str
        "children", "juveniles" (10 to 17) or "adults".
    value, low, high : float
    basis : str
        How it was arrived at.
    sources : tuple of Source
    """

    population: str
    value: float
    low: float
    high: float
    basis: str
    sources: tuple[Source, ...] = ()


def people_in_family() -> dict[str, PeopleInFamily]:
    """Return how many children, juveniles and adults a family of the programme has.

    Returns
    -------
    dict of str to PeopleInFamily

    Notes
    -----
    Children: with a share s of families having three or more, and none without a child, there
    are at least 1 + 2s children a family. Between that and more stand two simple spreads that
    give the same s: further children at random (1 + Poisson), and each child followed by another
    with one chance (geometric, mean 1 / (1 - root of s)).

    Examples
    --------
    >>> children = people_in_family()["children"]
    >>> [round(number, 2) for number in (children.low, children.value, children.high)]
    [1.8, 2.38, 2.72]
    """
    known = figure("evaluations", "families_three_children")
    share = known.value / 100
    low, value, high = 1 + 2 * share, 1 + _poisson_mean(share), 1 / (1 - share**0.5)
    part = _JUVENILE_YEARS / _CHILD_YEARS
    text = f"{known.value:.0f}% of families have three or more children (published)"
    return {
        "children": PeopleInFamily(
            "children", value, low, high,
            f"{text}; none has no child; the others' children spread at random (assumed)",
            known.sources,
        ),
        "juveniles": PeopleInFamily(
            "juveniles", value * part, low * part, high * part,
            f"8 of 18 years of childhood: children of all ages alike (assumed); {text}",
            known.sources,
        ),
        "adults": PeopleInFamily("adults", 1.5, 1.0, 2.0, "one or two to a family (assumed)"),
    }  # fmt: skip


def _poisson_mean(share: float) -> float:
    """Return the mean of a Poisson count that is 2 or more with a given chance."""
    from scipy.optimize import brentq  # noqa: PLC0415
    from scipy.stats import poisson  # noqa: PLC0415

    return float(brentq(lambda mean: poisson.sf(1, mean) - share, 1e-9, 50.0))
