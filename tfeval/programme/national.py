"""The budget of a phase beside what its payment rules explain of it."""

from __future__ import annotations

import pandas as pd

from tfeval.programme.ledger import Part, Reconciliation, maximum_payable, payments_due
from tfeval.programme.phases import Phase, phase
from tfeval.programme.published import Source, distinct_sources, figure, published

_AREA = "England"
_ENDS = {"slow": ("2013-03", "2013-12", "2014-12"), "fast": ("2013-03", "2014-06", "2014-12")}
_CLAIMED = ("2013-01", "2014-03", "2015-05")
_WORK_SHARE, _PROGRESS_SHARE = "2015-02", "2014-10"


def attached_by_year(pace: str) -> pd.DataFrame:
    """Return phase one's families by year of attachment, as bounded by what was published.

    Parameters
    ----------
    pace : {"slow", "fast"}
        Families worked with at the end of 2013-14 were not published: at least as many as in
        December 2013 ("slow"), at most as many as in June 2014 ("fast").

    Returns
    -------
    DataFrame
        `area`, `attached_year`, `families`.

    Examples
    --------
    >>> attached_by_year("slow")["families"].tolist()
    [35618.0, 61382.0, 20910.0]
    """
    ends = [figure("progress_national", "worked_with", as_of=m).value for m in _ENDS[pace]]
    added = [ends[0], ends[1] - ends[0], ends[2] - ends[1]]
    years = phase("one").tariff.years
    return pd.DataFrame({"area": _AREA, "attached_year": years, "families": added})


def results_by_year(attached: pd.DataFrame) -> pd.DataFrame:
    """Return phase one's results by year of attachment, year of claim and kind.

    Published by year of claim only; families attached first are taken to be claimed first. The
    kinds keep the shares they had when last published (continuous employment in February 2015,
    progress to work in October 2014).

    Parameters
    ----------
    attached : DataFrame
        As from `attached_by_year`.

    Returns
    -------
    DataFrame
        `area`, `attached_year`, `paid_year`, `kind`, `families`.
    """
    years = list(attached["attached_year"])
    claimed = [figure("progress_national", "turned_around", as_of=m).high for m in _CLAIMED]
    work, progress = _kind_shares()
    entered = attached["families"].cumsum()
    starts = entered.shift(fill_value=0.0)
    rows = []
    before = 0.0
    for paid_year, until in zip(years, claimed, strict=True):
        for cohort, start, end in zip(years, starts, entered, strict=True):
            count = max(0.0, min(until, end) - max(before, start))
            employed = float(round(count * work))
            for kind, families in (
                ("crime_asb_education", count - employed),
                ("continuous_employment", employed),
                ("progress_to_work", float(round(count * progress))),
            ):
                rows.append((_AREA, cohort, paid_year, kind, families))
        before = until
    frame = pd.DataFrame(rows, columns=["area", "attached_year", "paid_year", "kind", "families"])
    return frame[frame["families"] > 0].reset_index(drop=True)


def _kind_shares() -> tuple[float, float]:
    def share(kind: str, month: str) -> float:
        claimed = figure("progress_national", "turned_around", as_of=month).value
        return figure("progress_national", kind, as_of=month).value / claimed

    return share("continuous_employment", _WORK_SHARE), share("progress_to_work", _PROGRESS_SHARE)


def national_ledger(pace: str) -> pd.DataFrame:
    """Return phase one's national ledger: fees and payments due by year and kind.

    Parameters
    ----------
    pace : {"slow", "fast"}
        As in `attached_by_year`.

    Returns
    -------
    DataFrame
        As from `payments_due`.

    Examples
    --------
    >>> round(national_ledger("slow")["payment"].sum() / 1e6)
    383
    """
    attached = attached_by_year(pace)
    return payments_due(attached, results_by_year(attached), phase("one").tariff)


def ledger_by_year() -> pd.DataFrame:
    """Return fees and payments due in phase one, by year paid and kind, as a range.

    Returns
    -------
    DataFrame
        `paid_year`, `kind`, `low`, `high` (pounds) over both paces of attachment.
    """
    paces = [
        national_ledger(pace).groupby(["paid_year", "kind"])["payment"].sum()
        for pace in ("slow", "fast")
    ]
    both = pd.concat(paces, axis=1).fillna(0.0)
    frame = pd.DataFrame({"low": both.min(axis=1), "high": both.max(axis=1)})
    return frame.reset_index()


def reconcile(name: str) -> Reconciliation:
    """Set a phase's budget beside what its payment rules and published parts explain.

    Parameters
    ----------
    name : str
        The phase.

    Returns
    -------
    Reconciliation
        Its parts and the remainder add up to the budget at either end.

    Examples
    --------
    >>> low, high = reconcile("one").remainder
    >>> [round(pounds / 1e6) for pounds in (low, high)]
    [-45, 0]
    """
    rules = phase(name)
    return Reconciliation(rules.budget, _parts(rules) if rules.costs.ledger else (_ceiling(rules),))


def _parts(rules: Phase) -> tuple[Part, ...]:
    totals = [national_ledger(pace)["payment"].sum() for pace in ("slow", "fast")]
    authorities = len(published("local_authorities"))
    dwp = figure("budget", "dwp_share")
    preparation = figure("budget", "preparation_grant")
    grants = figure("budget", "co_ordinator_grant")
    years = len(rules.tariff.years)
    return (
        Part(
            "Attachment fees and results payments due under the tariff",
            min(totals),
            max(totals),
            "families attached by year and results by kind, five-sixths of them funded",
            ledger_sources(rules.name),
        ),
        Part("Department for Work and Pensions", *dwp.pounds(), "published", dwp.sources),
        Part(
            "Grants to prepare",
            preparation.low * authorities,
            preparation.high * authorities,
            f"£{preparation.low:,.0f} offered to each of {authorities} authorities",
            preparation.sources,
        ),
        Part(
            "Co-ordinators",
            grants.low * authorities * years,
            grants.high * authorities * years,
            f"if all {authorities} authorities had what the three that published it had: "
            f"£{grants.low:,.0f} to £{grants.high:,.0f} a year",
            grants.sources,
            assumed=True,
        ),
    )


def _ceiling(rules: Phase) -> Part:
    """Return the most that the tariff could pay for, where payments by year are not known."""
    ceiling = maximum_payable(rules.families.value, rules.tariff)
    most = max(map(rules.tariff.maximum, rules.tariff.years))
    fees = "Attachment fees and results payments" if rules.tariff.attachment_fee else "Results"
    return Part(
        f"{fees}, at most",
        ceiling,
        ceiling,
        f"{rules.families.value:,.0f} families, £{most:,.0f} each",
        ledger_sources(rules.name) + rules.families.sources,
    )


def ledger_sources(name: str) -> tuple[Source, ...]:
    """Return the sources behind a phase's ledger: its tariff and the counts it uses.

    Parameters
    ----------
    name : str
        The phase.
    """
    tariff = published("tariff")
    counts = published("progress_national")
    months = {
        "worked_with": {month for ends in _ENDS.values() for month in ends},
        "turned_around": (*_CLAIMED, _WORK_SHARE, _PROGRESS_SHARE),
        "continuous_employment": (_WORK_SHARE,),
        "progress_to_work": (_PROGRESS_SHARE,),
    }
    used = [
        counts[(counts["figure"] == measure) & counts["as_of"].isin(list(dates))]
        for measure, dates in months.items()
    ]
    rows = [tariff[tariff["phase"] == name], *(used if phase(name).costs.ledger else [])]
    return tuple(distinct_sources(*rows))
