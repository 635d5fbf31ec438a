"""The registered plan of the areas, carried out: real outcomes by how much programme there was."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from tfeval.display.rich import Rich
from tfeval.errors import DataError
from tfeval.impact.effects.multiple import stepped
from tfeval.impact.effects.power import multiplier
from tfeval.impact.panel.bounds import pre_trend, trend_bounds
from tfeval.impact.panel.event_estimates import EventEstimates
from tfeval.impact.panel.event_study import EventStudy, event_study
from tfeval.impact.panel.group_logit import logit
from tfeval.impact.panel.panel import Panel, panel
from tfeval.impact.panel.randomise import leave_out
from tfeval.impact.panel.randomise import randomise as permuted
from tfeval.impact.plan.analysis_plan import content_hash
from tfeval.impact.plan.register import Registration, register_beside, registration_of
from tfeval.programme.areas import PER, area_statistics, doses
from tfeval.programme.published import published
from tfeval.settings import once, project_folder

FILE = "area_analysis_plan.toml"
#: Analyses that the plan names apart from its sensitivity analyses.
MAIN, NAIVE, WEIGHTED, COMPLETED, GRANT = "main", "naive", "selection", "completed", "grant"
#: Numbers that were suppressed, each taken for one or for two: the key ends in which.
SUPPRESSED = "suppressed_"
#: Answers of the plan's rule: `finding` in the file.
MOVED, NOTHING_FOUND, NOT_ANSWERABLE = "moved", "nothing_found", "not_answerable"
_DOSES = {"completed_rate": COMPLETED, "grant_per_child": GRANT}


@dataclass(frozen=True, eq=False)
class AreaAnalysis(Rich):
    """What the registered plan of the areas found. Made by `area_analysis`.

    Attributes
    ----------
    plan : mapping
        The plan's file as it stands.
    registration : Registration
        Whether it is registered as it stands.
    phase : str
        Of which phase it is.
    answers : DataFrame
        One row an outcome of the first rank: `outcome`; the main `estimate`, `std_error`,
        `freedom`, `conf_low`, `conf_high`, `p_value`, `units`, `cells`, `missing`; `pre_p`,
        `holm_p`, `randomisation_p`, `same_sign`, `breakdown`; `region_p` (errors by region, wild
        bootstrap: not in the plan); `detectable` (smallest effect seen
        with 80% power), `trend_unseen` (smallest trend before that would have been seen, carried
        to the middle of the years averaged) and `trend_passing` (the trend that the joint test of
        the years before lets pass in half of cases, as it would bias the estimate); `level` (mean
        of the outcome in the base year) and `mean_dose` (in the plan's scale); `answer` and
        `failed` (the rules of a finding that do not hold).
    summaries : DataFrame
        One row an outcome and analysis: the same estimate with one thing changed.
    coefficients : DataFrame
        One row an outcome, period and analysis (main or naive).
    regions : DataFrame
        The main estimate without each region.
    bounds : DataFrame
        Intervals that allow for trends that were not parallel, by outcome and multiple.
    thirds : DataFrame
        The middle and the highest third of the dose against the lowest, by outcome.
    dose_weights : DataFrame
        The weight that the main regression gives to each dose, by outcome.
    selection : DataFrame
        Authorities with a known target beside all, before and after weighting.
    areas : Panel
        That of `area_panel`.
    """

    plan: Mapping[str, Any]
    registration: Registration
    answers: pd.DataFrame
    summaries: pd.DataFrame
    coefficients: pd.DataFrame
    regions: pd.DataFrame
    bounds: pd.DataFrame
    thirds: pd.DataFrame
    dose_weights: pd.DataFrame
    selection: pd.DataFrame
    areas: Panel
    phase: str = "one"

    def to_frame(self) -> pd.DataFrame:
        """Return `answers`."""
        return self.answers.copy()


@once
def area_analysis() -> AreaAnalysis:
    """Carry out the registered plan of the areas on published statistics.

    Did outcomes move differently, from 2012-13 on, in authorities with more of the programme for
    each child than in authorities alike in deprivation with less? All choices are those of
    `data/area_analysis_plan.toml`; `docs/area_plan.md` says them in prose.

    Returns
    -------
    AreaAnalysis
        Effects are for ten more families for each 10,000 children, in the outcome's own unit.

    Examples
    --------
    >>> found = area_analysis()  # doctest: +SKIP
    >>> found.answers[["outcome", "estimate", "std_error", "answer"]]  # doctest: +SKIP
    """
    plan, register = load_area_plan(), register_beside(project_folder("data") / FILE)
    said = registration_of(content_hash(plan), register)
    areas, balance = _area_panel(plan)
    parts: dict[str, list[pd.DataFrame]] = {}
    for outcome in plan["outcomes"]["first_rank"]:
        for name, rows in _outcome(plan, areas, outcome).items():
            parts.setdefault(name, []).append(rows.assign(outcome=outcome))
    frames = {name: _first(pd.concat(rows, ignore_index=True)) for name, rows in parts.items()}
    frames["answers"] = _answered(plan, frames["answers"])
    tables: dict[str, Any] = {**frames, "selection": balance}
    return AreaAnalysis(plan, said, areas=areas, **tables)


def area_panel() -> Panel:
    """Return the authorities of the registered plan by year, from published statistics.

    Returns
    -------
    Panel
        One row an authority of 2012-15, by code. Outcomes of the first rank, and what sensitivity
        analyses put in their place; fixed are doses in the plan's units (`target_rate` and
        `completed_rate` are for ten families for each 10,000 children), deprivation, `region`,
        `children` (2012) and `selection`: weights that make authorities with a known target like
        all.

    Examples
    --------
    >>> areas = area_panel()
    >>> len(areas.units), int(np.isfinite(areas.column("target_rate")).sum())
    (150, 92)
    """
    return _area_panel(load_area_plan())[0]


def held_equal(analysis: AreaAnalysis, values: pd.Series) -> pd.DataFrame:
    """Return each outcome's estimate with one more covariate by year, which the plan has not.

    Parameters
    ----------
    analysis : AreaAnalysis
    values : Series
        By code of the authority; those without one are left out.

    Returns
    -------
    DataFrame
        As `summaries` of the analysis.
    """
    plan, more = analysis.plan, "held_equal"
    fixed = analysis.areas.fixed.assign(
        **{more: values.reindex(analysis.areas.units).to_numpy(dtype=float)}
    )
    areas = replace(analysis.areas, fixed=fixed).take(np.isfinite(fixed[more].to_numpy()))
    by_time, dose = (*plan["covariates"]["by_year"], more), plan["doses"]["main"]
    return pd.concat([
        _row(more, _design(plan, outcome, dose, by_time=by_time)
             .fit(_during(plan, areas, outcome, dose), outcome)).assign(outcome=outcome)
        for outcome in plan["outcomes"]["first_rank"]
    ])  # fmt: skip


def load_area_plan() -> Mapping[str, Any]:
    """Return the content of the plan's file."""
    return tomllib.loads((project_folder("data") / FILE).read_text(encoding="utf-8"))


def _area_panel(plan: Mapping[str, Any]) -> tuple[Panel, pd.DataFrame]:
    """Return the panel, and how authorities with a known target differ from all."""
    first = plan["outcomes"]["first_rank"]
    counts = ["permanent_exclusions", "pupils", "looked_after"]
    frame = area_statistics([*first, *counts], wide=True)
    frame = frame[~frame["name"].isin(plan["unit"]["excluded"])]
    facts, balance = _facts(plan)
    frame = frame.merge(facts, on="code", validate="many_to_one")
    gone = frame["permanent_exclusions"].isna() & frame["pupils"].notna()
    for number in (1, 2):  # what is suppressed is one or two
        filled = 100 * number / frame["pupils"]
        frame[_suppressed(number)] = frame["permanent_exclusion_rate"].mask(gone, filled)
    frame["looked_after_one_population"] = PER * frame["looked_after"] / frame["children"]
    outcomes = [*first, _suppressed(1), _suppressed(2), "looked_after_one_population"]
    fixed = ["region", *map(str, facts.columns.drop("code"))]
    return panel(frame, unit="code", time="year", outcomes=outcomes, fixed=fixed), balance


def _suppressed(number: int) -> str:
    return f"permanent_exclusion_rate_{number}"


def _facts(plan: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what is fixed for each authority, and the balance of those with a known target."""
    dosed = doses()
    dosed = dosed[~dosed["name"].isin(plan["unit"]["excluded"])].reset_index(drop=True)
    scale = plan["doses"]["scale"]
    facts = dosed[["code", "children"]].copy()
    for name in (plan["doses"]["main"], "completed_rate"):
        facts[name] = dosed[name] / scale
    facts["grant_per_child"] = dosed["grant_per_child"].where(dosed["grant_status"] == "reported")
    source = published("area_facts").set_index("code")
    for name in sorted(_covariates(plan)):
        facts[name] = facts["code"].map(source[name])
    facts["deprivation_2010 squared"] = facts["deprivation_2010"] ** 2
    known = facts[plan["doses"]["main"]].notna()
    weights, chance = _selection(plan, facts, dosed["region"], known)
    facts[WEIGHTED] = weights
    place = facts[plan["doses"]["main"]].rank(pct=True)
    facts["second_third"] = ((place > 1 / 3) & (place <= 2 / 3)).astype(float).where(known)
    facts["third_third"] = (place > 2 / 3).astype(float).where(known)
    measures = {"log_children": np.log(facts["children"]),
            "deprivation_2010": facts["deprivation_2010"],
            **{name: (dosed["region"] == name).astype(float)
               for name in sorted(dosed["region"].unique())}}  # fmt: skip
    balance = pd.DataFrame([
        {"measure": name, "all": values.mean(), "known": values[known].mean(),
         "weighted": np.average(values[known], weights=weights[known])}
        for name, values in measures.items()
    ])  # fmt: skip
    return facts, balance.assign(least_chance=chance)


def _covariates(plan: Mapping[str, Any]) -> set[str]:
    sets = [plan["covariates"], *(one["covariates"] for one in plan["sensitivity"]
                                  if "covariates" in one)]  # fmt: skip
    return {name.split()[0] for one in sets for name in one["by_year"]} - {"region"}


def _selection(
    plan: Mapping[str, Any], facts: pd.DataFrame, region: pd.Series, known: pd.Series
) -> tuple[pd.Series, float]:
    """Return inverse chances of a known target, trimmed, and the smallest chance fitted."""
    terms = pd.get_dummies(region, drop_first=True, dtype=float)
    numbers = np.column_stack([np.log(facts["children"]), facts["deprivation_2010"]])
    scaled = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    x = np.column_stack([np.ones(len(terms)), terms.to_numpy(), scaled]).T
    has = known.to_numpy(dtype=bool)
    fitted = logit([(np.ascontiguousarray(x[:, has]), None, 1.0),
                    (np.ascontiguousarray(x[:, ~has]), None, 0.0)])  # fmt: skip
    if fitted is None:
        raise DataError("Which areas have a known target follows from their covariates alone.")
    chance = expit(fitted[0] @ x)
    weights = pd.Series(np.minimum(1 / chance, plan["selection"]["trim"]), facts.index)
    return weights.where(known), float(chance.min())


def _outcome(plan: Mapping[str, Any], areas: Panel, outcome: str) -> dict[str, pd.DataFrame]:
    """Return every table of one outcome."""
    main = plan["doses"]["main"]
    design, window = _design(plan, outcome, main), _during(plan, areas, outcome, main)
    fit = design.fit(window, outcome)
    naive = replace(design, by_time=()).fit(window, outcome)
    others = dict(_others(plan, areas, outcome))
    regions = leave_out(design, window, outcome, by=plan["leave_out"]["by"])
    drawn = plan["randomisation"]
    chance = permuted(design, window, outcome, within="region", draws=drawn["draws"],
                      seed=drawn["seed"])  # fmt: skip
    by_region = replace(design, cluster="region")
    wild = by_region.wild(window, outcome, draws=drawn["draws"], seed=drawn["seed"])
    times, spans = fit.covariance.index, plan["windows"][outcome]
    later = [time for time in spans["later"] if time in set(times)]
    kept = [time for time in times if time not in later]
    numbers = fit.coefficients.set_index("time").loc[kept, "estimate"].to_numpy()
    covariance = fit.covariance.loc[kept, kept].to_numpy()
    shape = {"times": kept, "base": spans["base"], "post": spans["post"],
             "pre": [time for time in spans["pre"] if time != spans["base"]]}  # fmt: skip
    robust = trend_bounds(numbers, covariance, multiples=plan["bounds"]["multiples"], **shape)
    before = pre_trend(numbers, covariance, **shape)
    summaries = pd.concat([_row(name, made) for name, made in
                           {MAIN: fit, NAIVE: naive, **others}.items()])  # fmt: skip
    signs = np.sign([*regions["estimate"], others[WEIGHTED].estimate, others[COMPLETED].estimate])
    answer = _row(MAIN, fit).assign(
        randomisation_p=chance.p_value, region_p=wild.p_value,
        same_sign=bool((signs == np.sign(fit.estimate)).all()),
        breakdown=robust.breakdown, trend_unseen=fit.slope_before,
        trend_passing=before.frame.set_index("power")["bias"][0.5],
        level=np.nanmean(window.outcome(outcome)[:, window.place[spans["base"]]]),
        mean_dose=window.column(main).mean(),
        detectable=float(multiplier(np.inf, plan["could_not_see"]["power"])) * fit.std_error,
    )  # fmt: skip
    coefficients = pd.concat([one.coefficients.assign(analysis=name)
                              for name, one in ((MAIN, fit), (NAIVE, naive))])  # fmt: skip
    return {
        "answers": answer, "summaries": summaries, "coefficients": coefficients,
        "regions": regions, "bounds": robust.to_frame(), "dose_weights": fit.dose_weights,
        "thirds": _thirds(plan, areas, outcome),
    }  # fmt: skip


def _design(plan: Mapping[str, Any], outcome: str, dose: str, **changed: Any) -> EventStudy:
    """Return the plan's event study of an outcome by a dose, with what is changed."""
    spans = {**plan["windows"][outcome], **changed.pop("window", {})}
    options = {"by_time": tuple(plan["covariates"]["by_year"]), **changed}
    return event_study(
        dose, base=spans["base"], pre=[time for time in spans["pre"] if time != spans["base"]],
        post=spans["post"], small_sample=plan["estimate"]["small_sample"],
        level=plan["estimate"]["level"], **options,
    )  # fmt: skip


def _during(
    plan: Mapping[str, Any], areas: Panel, outcome: str, dose: str,
    *, named: str = "", window: Mapping[str, Any] = {},
) -> Panel:  # fmt: skip
    """Return the periods of an outcome's windows, and the units with a dose and a cell."""
    spans = {**plan["windows"][outcome], **window}
    times = [*spans["pre"], *spans["partly_treated"], *spans["post"], *spans["later"]]
    part = areas.during(times)
    cells = np.isfinite(part.outcome(named or outcome)).any(axis=1)
    return part.take(cells & np.isfinite(part.column(dose).astype(float)))


def _others(
    plan: Mapping[str, Any], areas: Panel, outcome: str
) -> Iterator[tuple[str, EventEstimates]]:
    """Yield every analysis that changes one thing, by its key."""
    main = plan["doses"]["main"]
    window = _during(plan, areas, outcome, main)
    yield WEIGHTED, _design(plan, outcome, main, weights=WEIGHTED).fit(window, outcome)
    for dose in plan["doses"]["sensitivity"]:
        part = _during(plan, areas, outcome, dose)
        yield _DOSES[dose], _design(plan, outcome, dose).fit(part, outcome)
    if outcome in plan["suppressed"]:
        for name in (_suppressed(1), _suppressed(2)):
            part = _during(plan, areas, outcome, main, named=name)
            yield SUPPRESSED + name[-1], _design(plan, outcome, main).fit(part, name)
    for one in plan["sensitivity"]:
        changed = _changed(one, outcome)
        if changed is not None:
            named = changed.pop("named", outcome)
            spans = changed.get("window", {})
            part = _during(plan, areas, outcome, main, named=named, window=spans)
            yield one["name"], _design(plan, outcome, main, **changed).fit(part, named)


def _changed(one: Mapping[str, Any], outcome: str) -> dict[str, Any] | None:
    """Return what a sensitivity analysis changes for an outcome; None where it is of others."""
    if "covariates" in one:
        return {"by_time": tuple(one["covariates"]["by_year"])}
    if "unit" in one:
        return {"weights": "children"}
    if "estimate" in one:
        return {"trends": True}
    if "windows" in one:
        return {"window": one["windows"][outcome]} if outcome in one["windows"] else None
    if outcome in one["outcomes"]:
        return {"named": "looked_after_one_population"}
    return None


def _thirds(plan: Mapping[str, Any], areas: Panel, outcome: str) -> pd.DataFrame:
    """Return the upper thirds of the dose against the lowest, in place of a line through doses."""
    window = _during(plan, areas, outcome, plan["doses"]["main"])
    pairs = (("second_third", "third_third"), ("third_third", "second_third"))
    rows = []
    for dose, other in pairs:
        by_time = (*plan["covariates"]["by_year"], other)
        fit = _design(plan, outcome, dose, by_time=by_time).fit(window, outcome)
        mean = areas.column(plan["doses"]["main"])[areas.column(dose) == 1].mean()
        rows.append(_row(dose, fit).assign(dose=mean))
    return pd.concat(rows)


def _row(name: str, fit: EventEstimates) -> pd.DataFrame:
    return pd.DataFrame([{
        "analysis": name, "estimate": fit.estimate, "std_error": fit.std_error,
        "freedom": fit.freedom, "conf_low": fit.conf_low, "conf_high": fit.conf_high,
        "p_value": fit.p_value, "pre_p": fit.pre_trend.p_value, "units": fit.units,
        "cells": fit.cells, "missing": fit.missing_cells,
    }])  # fmt: skip


def _first(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["outcome", *(name for name in frame if name != "outcome")]]


def _answered(plan: Mapping[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    """Return the answers with the plan's rule of a finding applied to each."""
    rule = plan["finding"]
    rows = rows.drop(columns="analysis").assign(
        holm_p=stepped(rows["p_value"].to_numpy(dtype=float), plan["correction"]["method"])
    )
    holds = pd.DataFrame({
        "pre_trend": rows["pre_p"] >= rule["pre_trend"],
        "adjusted_p": rows["holm_p"] < rule["adjusted_p"],
        "randomisation_p": rows["randomisation_p"] < rule["randomisation_p"],
        "same_sign": rows["same_sign"],
        "bounds": rows["breakdown"] >= rule["bounds"],
    })  # fmt: skip
    answer = np.select([~holds["pre_trend"], holds.all(axis=1)], [NOT_ANSWERABLE, MOVED],
                       default=NOTHING_FOUND)  # fmt: skip
    failed = [tuple(str(name) for name, good in row.items() if not good)
              for row in holds.to_dict("records")]  # fmt: skip
    return rows.assign(answer=answer, failed=pd.Series(failed, rows.index))


def area_benchmarks(plan: Mapping[str, Any], prices: Mapping[str, float],
                    cost: float) -> pd.DataFrame:  # fmt: skip
    """Return what ten more families for each 10,000 children would have changed.

    Parameters
    ----------
    plan : mapping
        Content of the plan's file.
    prices : mapping of str to float
        Pounds that a unit of an outcome costs for a year, for outcomes that have a price.
    cost : float
        Pounds a family.

    Returns
    -------
    DataFrame
        One row an outcome: `claim_2015`, `found_2019`, `break_even` in the outcome's unit;
        missing where there is none.

    Examples
    --------
    >>> shared = {"pupils_per_child": 0.5, "residents_16_64_per_child": 3.0}
    >>> told = {"benchmarks": {**shared, "claim_2015": {}, "found_2019": {}},
    ...         "doses": {"scale": 10},
    ...         "outcomes": {"first_rank": ["looked_after_rate", "fixed_exclusion_rate"]}}
    >>> made = area_benchmarks(told, {"looked_after_rate": 2_000.0}, 1_000.0)
    >>> made["break_even"].tolist()
    [-5.0, nan]
    """
    figures, scale = plan["benchmarks"], plan["doses"]["scale"]
    per = {"claimant_rate": 100 / figures["residents_16_64_per_child"],
           "fixed_exclusion_rate": 100 / figures["pupils_per_child"],
           "permanent_exclusion_rate": 100 / figures["pupils_per_child"],
           "persistent_absence": 100 / figures["pupils_per_child"],
           "looked_after_rate": PER}  # fmt: skip
    return pd.DataFrame([
        {"outcome": name, "claim_2015": figures["claim_2015"].get(name, np.nan),
         "found_2019": figures["found_2019"].get(name, np.nan),
         "break_even": -cost / prices[name] * scale / PER * per[name] if name in prices else np.nan}
        for name in plan["outcomes"]["first_rank"]
    ])  # fmt: skip
