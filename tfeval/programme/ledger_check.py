"""The ledger held against every payment to an authority that was published."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tfeval.programme.ledger import fundable, maximum_payable
from tfeval.programme.phases import Phase, Tariff, phase
from tfeval.programme.published import Figure, figure, published

#: What a published payment can be, and how the ledger meets it.
PAYMENTS = ("maximum", "attachment", "results_maximum", "results", "sum", "mixed", "scheme")


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
    found = [
        _verdict(row, amount, rules.tariff)
        for row, amount in zip(rows.to_dict("records"), pounds, strict=True)
    ]
    verdicts = pd.DataFrame([vars(item) for item in found], index=rows.index)
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
        why += "; together more than these families can earn: one of the two holds other money"
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
        why += "; more than phase one could pay: other money, such as phase two's, must be in it"
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
