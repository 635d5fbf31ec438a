"""What a release says of its numbers: each key in words, and how to read them."""

from __future__ import annotations

from collections.abc import Mapping

ARMS = {"treated": "On the programme", "comparison": "Comparison families", "both": "Difference"}
#: Numbers of families, by what stands before the colon of their key.
COUNTED = {
    "families": "Families followed",
    "compared": "Families compared",
    "known": "{outcome}: families for whom it is known",
    "with": "{outcome}: families with any",
    "judged": "{outcome}: families that can be judged",
    "result": "{outcome}: families that met the test",
    "results_compared": "Families compared, put to the results tests",
    "results_claimed": "Families compared for whom a result was claimed",
    "results_judged": "{outcome}: families compared that can be judged",
    "results_met": "{outcome}: families compared that met the test",
    "attached": "Families on the programme that entered in {outcome}",
}
#: Results of the programme's own tests.
RESULTS = {
    "crime_asb_education": "Result in crime, anti-social behaviour and education",
    "continuous_employment": "Continuous employment",
    "turned_around": "Turned around",
    "sustained_progress": "Significant and sustained progress",
    "successful_family_outcome": "Successful family outcome",
}
TABLES = {
    "effect": "Effects: difference between the groups compared",
    "mean": "Means, by group compared",
    "share": "Shares of families, from the counts below",
    "count": "Families, to the nearest ten",
}
TITLE = "Released results of linked records"
#: Parts of a number's key that its label tells.
MORE = {"capped": ", top-coded", "before": ", of the year before", "after": ", all followed"}
HIDDEN = "hidden"
NO_INTERVAL = "no interval"
NOT_KNOWN = "not known"
READ = (
    "Every number here was released as a cell and stands in cells.csv. Counts go to the nearest "
    "ten. A mean or an effect goes to a unit so wide that no family makes a tenth of it and that "
    "any nine families more or less move it by one unit at most. How a number falls at the edge "
    "hangs on which families it is of, and on nothing else: the same families have the same number "
    "in every table and edition. So parts do not add up to their whole.",
    "Hidden: the number would tell of fewer than ten families, or would let such a number be "
    "worked out. It is not said which.",
    "Intervals are of 95%, from the released effect and error; the error counts the rounding.",
    "Top-coded, by area: values over the one that one in a hundred of the families with the "
    "outcome exceed are taken for that one, which is not told. England's are of all values.",
)
CHAPTERS, AREAS, REPORTS = "Chapters", "Areas", "Reports"
#: Of chapters made from released cells.
CHAPTER = "Made from released numbers and published figures alone."
FROM_CELLS = "Released cells of linked records: rounded, small numbers hidden."
METHOD = "As inside; every number is a released cell, or follows from released cells."
RELEASED = "as released"
ROUNDED = "Each number is a released cell: counts to ten, others to a unit of their own."
STAYS = "Stays inside: no number of it is released."
STAY_INSIDE = (
    "Inside stay, of chapter 5, the designs on linked records; of chapter 6, other readings of the "
    "tests; of chapters 2 to 4, what a line in its place says; and the spreadsheet of chapter 7.",
)
#: Of the tests of results, when too little is released.
RESULTS_HIDDEN = "too little of it is released"
FROM_CELLS_SHORT = "from released cells"
NO_WORKBOOK = "The spreadsheet stays inside: every pound here follows from released effects."
AREA_NUMBERS = "Released numbers"
SHARE_OF_ERROR = "Of the squared errors of effects {where}, rounding makes {share} (the median)."
#: How far rounding may have moved effects, in units of their error.
MOVED_BY = "Rounding moves it by, in errors, at most"
MOVED = (
    "Rounding may have moved these effects by more than a tenth of their error, and by so much at "
    "most: {effects}."
)
MOVED_OTHERS = " The others by a tenth at most."
MOVED_LITTLE = "Rounding has moved no effect by more than a tenth of its error."
MOVED_EARLIER = (
    "Of nearly the same families an earlier release said some numbers, which stand here: these may "
    "be one unit further off."
)
HERE, BY_AUTHORITY = "shown here", "of authorities"
SIMULATED_NOTE = "From simulated records: no number here is a finding about the programme."


def number_words(number: str, outcome: str) -> str:
    """Say what a number of families counts.

    Parameters
    ----------
    number : str
        Its key.
    outcome : str
        The outcome's name for readers.

    Examples
    --------
    >>> number_words("with:custody", "Custody"), number_words("families", "")
    ('Custody: families with any', 'Families followed')
    """
    first = number.removeprefix("share:").partition(":")[0]
    return COUNTED.get(first, "{outcome}").format(outcome=outcome)


#: In the place of a text that whoever ran a report wrote.
SOURCE_INSIDE = "a source that is told inside"
#: What a release says of itself, beside its choices.
EARLIER = "earlier"


def about_words(about: Mapping[str, str]) -> str:
    """Say which choices a release rests on.

    Examples
    --------
    >>> about_words({"phase": "one", "horizon": "12", "simulated": "yes"})
    'phase one; horizon 12'
    """
    own = ("simulated", EARLIER)
    choices = "; ".join(f"{name} {value}" for name, value in about.items() if name not in own)
    return choices.replace("_", " ")
