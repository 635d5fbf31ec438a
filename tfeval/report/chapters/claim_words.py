"""What was claimed and what it takes to hold, in words made of records."""

from __future__ import annotations

from collections.abc import Mapping

from tfeval.report.record import Record


def claimed_words(said: Mapping[str, Record]) -> str:
    """Say what was claimed in a phase.

    Parameters
    ----------
    said : mapping of str to Record
        As from `facts`, or as chapter 6 recorded them.
    """
    claimed = f"{said['claimed_mark']!s}{said['claimed_families']}"
    claimed = f"{claimed[:1].upper()}{claimed[1:]}"
    what = f"{said['claimed_as']} by {said['claimed_by']}"
    if "claimed_share" not in said:
        return (
            f"{claimed} were claimed with {what}; a share of those targeted, a saving and what "
            "claims would have to be for the money to come back were not published."
        )
    return f"{claimed} ({said['claimed_share']} of those targeted) were claimed as {what}."


def paying_words(said: Mapping[str, Record]) -> str:
    """Say on what condition a claimed saving pays for its cost; nothing where none was claimed."""
    if "claimed_share" not in said:
        return ""
    return (
        f"The claimed saving of {said['claimed_saving']} pays for the {said['claimed_against']} "
        f"beside it only if {own_words(said)}."
    )


def own_words(said: Mapping[str, Record]) -> str:
    """Say what share of the claims must be the programme's own, as long as was claimed."""
    return (
        f"at least {said['break_even_pair']} of the change was the programme's own, if it lasted "
        f"the 12 months claimed ({said['break_even_low']} to {said['break_even_high']} over all "
        "published pairs of benefit and cost)"
    )


def break_even_words(said: Mapping[str, Record]) -> str:
    """Say what share of the claims must be the programme's own, on which conditions.

    Parameters
    ----------
    said : mapping of str to Record
        As from `facts`, or as chapter 6 recorded them.
    """
    return (
        f"{own_words(said)}. Over {said['break_even_lasting']}, it takes "
        f"{said['break_even_lasting_low']} to {said['break_even_lasting_high']} "
        f"({said['break_even_least']} to {said['break_even_most']})"
    )
