"""The ledger beside what was published: the budget of a phase, and every payment."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tfeval.errors import ParameterError, suggest
from tfeval.programme.ledger import Part, Reconciliation, fundable, maximum_payable, payments_due
from tfeval.programme.phases import Phase, Tariff, phase
from tfeval.programme.published import Figure, Source, distinct_sources, figure, published

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
    if pace not in _ENDS:
        raise ParameterError(f"There is no pace {pace}. {suggest(pace, _ENDS)}")
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


# Every payment to an authority that was published, and how the ledger meets it.


@dataclass(frozen=True)
class Verdict:
    """What the ledger says of one published payment.

    Attributes
    ----------
    low, high : float
        Pounds the tariff allows.
    verdict : {"reproduced", "within the tariff", "above the tariff", "below the tariff"}
        How the payment stands to them.
    miss : float
        Pounds outside the range, signed; 0 inside.
    why : str
        The arithmetic, or the likely reason for a miss.
    """

    low: float
    high: float
    verdict: str
    miss: float
    why: str


def check_payments(
    payments: pd.DataFrame | None = None, rules: Phase | None = None
) -> pd.DataFrame:
    """Hold every published payment against the ledger.

    Parameters
    ----------
    payments : DataFrame, optional
        Rows of the published table `payments_local` (the default).
    rules : Phase, optional
        Phase one by default.

    Returns
    -------
    DataFrame
        One row a payment, as `payments`, with `pounds`, `low`, `high`, `verdict`, `miss` and
        `why` of `Verdict`.

    Examples
    --------
    >>> checked = check_payments()
    >>> sefton = checked[(checked["area"] == "Sefton")].iloc[0]
    >>> sefton["verdict"], sefton["why"]
    ('reproduced', '183 × £3,200')
    """
    rows = published("payments_local") if payments is None else payments
    rules = rules or phase("one")
    pounds = rows["value"] * rows["unit"].map({"£": 1.0, "£m": 1e6})
    rows, pounds = _with_sums(rows, pounds)
    results = [
        _verdict(row, amount, rules.tariff)
        for row, amount in zip(rows.to_dict("records"), pounds, strict=True)
    ]
    verdicts = pd.DataFrame([vars(item) for item in results], index=rows.index)
    return pd.concat([rows.assign(pounds=pounds), verdicts], axis=1)


def _with_sums(rows: pd.DataFrame, pounds: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    """Add a row for each authority whose fees and results over all three years are both known.

    Each may fit the tariff alone and their sum exceed it.
    """
    whole = rows[rows["payment"].isin(["attachment", "results"]) & rows["families"].notna()]
    whole = whole[(whole["period"] == "2012-15") | (whole["period"] == "to 2015-05")]
    sums = []
    for _, pair in whole.groupby(["area_code", "families"]):
        if set(pair["payment"]) == {"attachment", "results"}:
            first = pair.iloc[0].to_dict()
            first |= {"payment": "sum", "figure": "fees_and_results", "unit": "£"}
            first |= {"value": pounds[pair.index].sum(), "rounded_to": pair["rounded_to"].sum()}
            sums.append(first | {"definition": "Fees and results together: the sum of both rows"})
    if not sums:
        return rows, pounds
    extra = pd.DataFrame(sums)
    return (
        pd.concat([rows, extra[rows.columns]], ignore_index=True),
        pd.concat([pounds, extra["value"]], ignore_index=True),
    )


def _verdict(row: dict, pounds: float, tariff: Tariff) -> Verdict:
    kind = row["payment"]
    if kind == "maximum":
        return _maximum(row, pounds, tariff)
    if kind in ("attachment", "results_maximum"):
        return _year(row, pounds, tariff)
    if kind == "results":
        return _results(row, pounds, tariff)
    if kind == "sum":
        return _sum(row, pounds, tariff)
    return _mixed(row, pounds, tariff)


def _stand(row: dict, pounds: float, low: float, high: float, why: str) -> Verdict:
    """Place a payment, published to a stated precision, beside what the tariff allows."""
    slack = float(row["rounded_to"] or 0) / 2
    if row["qualifier"] == "at least" and pounds < high:
        pounds, slack = min(max(pounds, low), high), 0.0
    if row["qualifier"] == "at most" and pounds > low:
        pounds, slack = min(max(pounds, low), high), 0.0
    if low - slack <= pounds <= high + slack:
        name = "reproduced" if low == high else "within the tariff"
        return Verdict(low, high, name, 0.0, why)
    if pounds > high:
        return Verdict(low, high, "above the tariff", pounds - high, why)
    return Verdict(low, high, "below the tariff", pounds - low, why)


def _maximum(row: dict, pounds: float, tariff: Tariff) -> Verdict:
    due = maximum_payable(row["families"], tariff)
    best = max(tariff.maximum(year) for year in tariff.years)
    why = f"{row['families']:,.0f} × 5/6 × £{best:,.0f}"
    verdict = _stand(row, pounds, due, due, why)
    if verdict.miss and pounds % best == 0:
        published_families = pounds / best
        extra = published_families - fundable([row["families"]], tariff.funded_share)[0]
        why += f"; the source counts {published_families:,.0f} funded families, {extra:+,.0f}"
    return Verdict(verdict.low, verdict.high, verdict.verdict, verdict.miss, why)


def _year(row: dict, pounds: float, tariff: Tariff) -> Verdict:
    year = row["period"]
    if year not in tariff.attachment_fee:
        return _fees(row, pounds, tariff)
    fee = tariff.attachment_fee[year]
    rate = fee if row["payment"] == "attachment" else tariff.maximum(year) - fee
    if pd.notna(row["families"]):
        funded = int(fundable([row["families"]], tariff.funded_share)[0])
        why = f"{row['families']:,.0f} × 5/6 = {funded:,} × £{rate:,.0f}"
        verdict = _stand(row, pounds, funded * rate, funded * rate, why)
        if verdict.miss and abs(verdict.miss) < rate:
            why += "; the source did not round to whole families"
        return Verdict(verdict.low, verdict.high, verdict.verdict, verdict.miss, why)
    families = pounds / rate
    nearest = round(families) * rate
    why = f"{round(families):,} × £{rate:,.0f}"
    return _stand(row, pounds, nearest, nearest, why)


def _fees(row: dict, pounds: float, tariff: Tariff) -> Verdict:
    """Place attachment fees of several years between all families in the last and in the first."""
    funded = int(fundable([row["families"]], tariff.funded_share)[0])
    fees = tariff.attachment_fee.values()
    why = (
        f"{row['families']:,.0f} × 5/6 = {funded:,} funded; "
        f"£{min(fees):,.0f} to £{max(fees):,.0f} each, £{pounds / funded:,.0f} on average"
    )
    return _stand(row, pounds, funded * min(fees), funded * max(fees), why)


def _results(row: dict, pounds: float, tariff: Tariff) -> Verdict:
    """Place results payments between all families at the least rate and all at the best."""
    funded = int(fundable([row["families"]], tariff.funded_share)[0])
    years = [year for year in tariff.years if int(year[:4]) <= _last_year(row["period"])]
    pay = [tariff.results_payment[(year, "crime_asb_education")] for year in years]
    best = [tariff.maximum(year) - tariff.attachment_fee[year] for year in years]
    why = (
        f"{row['families']:,.0f} × 5/6 = {funded:,} funded; "
        f"£{min(pay):,.0f} to £{max(best):,.0f} each, £{pounds / funded:,.0f} on average"
    )
    verdict = _stand(row, pounds, funded * min(pay), funded * max(best), why)
    if verdict.miss < 0:
        paid = pounds / min(pay)
        why += f"; pays for {paid:,.0f} families, so claims may be counted before they are paid"
    return Verdict(verdict.low, verdict.high, verdict.verdict, verdict.miss, why)


def _sum(row: dict, pounds: float, tariff: Tariff) -> Verdict:
    """Place fees and results of the same families below what they can earn together."""
    ceiling = maximum_payable(row["families"], tariff)
    why = f"{row['families']:,.0f} × 5/6 × £{max(map(tariff.maximum, tariff.years)):,.0f}"
    verdict = _stand(row, pounds, 0.0, ceiling, why)
    if verdict.miss:
        why += "; together more than these families can earn: one of the two may hold other money"
    return Verdict(verdict.low, verdict.high, verdict.verdict, verdict.miss, why)


def _mixed(row: dict, pounds: float, tariff: Tariff) -> Verdict:
    """Place a sum of fees, results and grants below all that phase one could pay."""
    grants = co_ordinator_grant()
    years = _last_year(row["period"]) - int(tariff.years[0][:4]) + 1
    preparation = figure("budget", "preparation_grant").value
    ceiling = maximum_payable(row["families"], tariff)
    high = ceiling + years * grants.high + preparation
    why = f"tariff at most £{ceiling:,.0f}, grants at most £{high - ceiling:,.0f}"
    if row["payment"] == "scheme":
        cost = figure("budget", "assumed_cost_of_intervention").value
        why += f"; £{cost:,.0f} × {row['families']:,.0f} families = £{cost * row['families']:,.0f}"
    verdict = _stand(row, pounds, 0.0, high, why)
    if row["payment"] == "mixed" and verdict.miss > 0:
        why += "; more than the tariff and such grants could pay: other money may be in it"
    return Verdict(verdict.low, verdict.high, verdict.verdict, verdict.miss, why)


def co_ordinator_grant() -> Figure:
    """Return the yearly co-ordinator grant, as a range over the authorities that published it."""
    return figure("budget", "co_ordinator_grant")


def _last_year(period: str) -> int:
    """Return the first calendar year of the financial year in which a period ends.

    Periods are "2012-13", "2012-15" or "to 2013-10".
    """
    if period.startswith("to "):
        year, month = int(period[3:7]), int(period[8:10])
        return year if month >= 4 else year - 1
    return int(period[:2] + period[5:7]) - 1
