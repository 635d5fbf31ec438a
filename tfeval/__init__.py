"""Claims, causes and value of the Troubled Families Programme, in England, 2012 to 2020.

Every public name is listed here with the module that defines it, and loads when first used, so
that `import tfeval` costs next to nothing. Type checkers and completers read the same names from
`__init__.pyi`.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

_PUBLIC = {
    # display
    "table": "tfeval.display.tables",
    "Table": "tfeval.display.tables",
    "Chart": "tfeval.display.figures",
    # programme
    "phase": "tfeval.programme.phases",
    "Phase": "tfeval.programme.phases",
    "next_cohort": "tfeval.programme.phases",
    "NextCohort": "tfeval.programme.phases",
    "published": "tfeval.programme.published",
    "published_tables": "tfeval.programme.published",
    "figure": "tfeval.programme.published",
    "check_published": "tfeval.programme.published",
    "area_statistics": "tfeval.programme.areas",
    "area_measures": "tfeval.programme.areas",
    "nation_statistics": "tfeval.programme.areas",
    "doses": "tfeval.programme.areas",
    "eligible": "tfeval.programme.phases",
    "programmes": "tfeval.programme.programmes",
    "results_met": "tfeval.programme.results",
    "payments_due": "tfeval.programme.ledger",
    "maximum_payable": "tfeval.programme.ledger",
    "check_payments": "tfeval.programme.national",
    "reconcile": "tfeval.programme.national",
    "national_ledger": "tfeval.programme.national",
    "claims_by_authority": "tfeval.programme.claims",
    "final_claims": "tfeval.programme.claims",
    "member_bounds": "tfeval.programme.claims",
    # records
    "open_records": "tfeval.records.store",
    "check_records": "tfeval.records.check",
    "prepare": "tfeval.records.preparation.prepare",
    "draft_mapping": "tfeval.records.preparation.draft",
    "new_key": "tfeval.records.pseudonyms",
    "read_key": "tfeval.records.pseudonyms",
    "pseudonymise": "tfeval.records.pseudonyms",
    "anonymity": "tfeval.records.anonymity",
    "simulate": "tfeval.records.simulate",
    "simulate_to": "tfeval.records.simulate",
    "simulate_histories": "tfeval.records.simulate_histories",
    "read_truth": "tfeval.records.simulate",
    "Records": "tfeval.records.store",
    "SimulatedRecords": "tfeval.records.simulate",
    "Truth": "tfeval.records.simulate",
    "CheckReport": "tfeval.records.check",
    "Prepared": "tfeval.records.preparation.log",
    "Pseudonymised": "tfeval.records.pseudonyms",
    "Anonymity": "tfeval.records.anonymity",
    # cohort
    "cohort": "tfeval.cohort.cohort",
    "add_covariates": "tfeval.cohort.expressions",
    "comparison_groups": "tfeval.cohort.cohort",
    "treatments": "tfeval.cohort.cohort",
    "results_tests": "tfeval.cohort.results",
    "Cohort": "tfeval.cohort.analysis_table",
    # impact
    "Specification": "tfeval.impact.specification",
    "study": "tfeval.impact.study.study",
    "design": "tfeval.impact.specification",
    "match": "tfeval.impact.matching.match",
    "weight": "tfeval.impact.weighting.weight",
    "unweighted": "tfeval.impact.weighting.weights",
    "fit_propensity": "tfeval.impact.propensity.propensity",
    "estimate": "tfeval.impact.effects.estimate",
    "by_statsmodels": "tfeval.impact.effects.by_statsmodels",
    "ByStatsmodels": "tfeval.impact.effects.by_statsmodels",
    "balance": "tfeval.impact.balance.balance",
    "correct": "tfeval.impact.effects.multiple",
    "combine_effects": "tfeval.impact.effects.effects",
    "pool_areas": "tfeval.impact.effects.areas",
    "minimum_detectable_effect": "tfeval.impact.effects.power",
    "detectable_effects": "tfeval.impact.effects.power",
    "published_effects": "tfeval.impact.effects.published",
    "family_panel": "tfeval.impact.panel.families",
    "panel": "tfeval.impact.panel.panel",
    "Panel": "tfeval.impact.panel.panel",
    "event_study": "tfeval.impact.panel.event_study",
    "randomise": "tfeval.impact.panel.randomise",
    "leave_out": "tfeval.impact.panel.randomise",
    "EventStudy": "tfeval.impact.panel.event_study",
    "EventEstimates": "tfeval.impact.panel.event_study",
    "Randomised": "tfeval.impact.panel.randomise",
    "trend_bounds": "tfeval.impact.panel.bounds",
    "TrendBounds": "tfeval.impact.panel.bounds",
    "pre_trend": "tfeval.impact.panel.bounds",
    "PreTrend": "tfeval.impact.panel.bounds",
    "synthetic": "tfeval.impact.panel.synthetic",
    "Synthetic": "tfeval.impact.panel.synthetic",
    "SyntheticEffect": "tfeval.impact.panel.synthetic_effect",
    "threshold": "tfeval.impact.panel.threshold",
    "Threshold": "tfeval.impact.panel.threshold",
    "ThresholdChecks": "tfeval.impact.panel.threshold_checks",
    "group_time": "tfeval.impact.panel.group_time",
    "GroupTime": "tfeval.impact.panel.group_time",
    "GroupTimeEffects": "tfeval.impact.panel.group_time_effects",
    "sensitivity": "tfeval.impact.sensitivity.unmeasured",
    "heterogeneity": "tfeval.impact.sensitivity.moderation",
    "Heterogeneity": "tfeval.impact.sensitivity.moderation",
    "Moderation": "tfeval.impact.sensitivity.moderation",
    "support_dose": "tfeval.impact.sensitivity.support_dose",
    "SupportDose": "tfeval.impact.sensitivity.support_dose",
    "unobserved": "tfeval.impact.sensitivity.unmeasured",
    "diagnose": "tfeval.impact.diagnostics.diagnose",
    "confidence": "tfeval.impact.diagnostics.diagnose",
    "impute": "tfeval.impact.imputation.impute",
    "pool_imputations": "tfeval.impact.imputation.pool",
    "read_plan": "tfeval.impact.plan.analysis_plan",
    "register_plan": "tfeval.impact.plan.analysis_plan",
    "Study": "tfeval.impact.study.study",
    "Propensity": "tfeval.impact.propensity.propensity",
    "Design": "tfeval.impact.design.design",
    "AnyDesign": "tfeval.impact.design.protocol",
    "Contrasts": "tfeval.impact.design.protocol",
    "Balance": "tfeval.impact.balance.balance",
    "Effects": "tfeval.impact.effects.effects",
    "AreaEffects": "tfeval.impact.effects.areas",
    "Sensitivity": "tfeval.impact.sensitivity.regression",
    "Diagnostics": "tfeval.impact.diagnostics.diagnose",
    "Confidence": "tfeval.impact.diagnostics.diagnose",
    "Imputations": "tfeval.impact.imputation.impute",
    "area_panel": "tfeval.impact.plan.areas",
    "area_analysis": "tfeval.impact.plan.areas",
    "AreaAnalysis": "tfeval.impact.plan.areas",
    "AnalysisPlan": "tfeval.impact.plan.analysis_plan",
    "Registration": "tfeval.impact.plan.register",
    # money
    "Assumptions": "tfeval.money.appraisal_settings",
    "deflate": "tfeval.money.prices",
    "price_years": "tfeval.money.prices",
    "discount_factors": "tfeval.money.prices",
    "discount_rates": "tfeval.money.prices",
    "present_value": "tfeval.money.prices",
    "equivalent_annual": "tfeval.money.prices",
    "editions": "tfeval.money.prices",
    "proposals": "tfeval.money.prices",
    "edition_of": "tfeval.money.prices",
    "unit_costs": "tfeval.money.unit_costs",
    "not_monetised": "tfeval.money.unit_costs",
    "check_unit_costs": "tfeval.money.unit_costs",
    "same_pounds": "tfeval.money.monetised",
    "second_opinions": "tfeval.money.unit_costs",
    "programme_costs": "tfeval.money.costs",
    "costs_against_budget": "tfeval.money.costs",
    "costs_missing": "tfeval.money.costs",
    "cost_sources": "tfeval.money.costs",
    "break_even_share": "tfeval.money.claimed",
    "break_even_2015": "tfeval.money.claimed",
    "implied_cost": "tfeval.money.claimed",
    "appraise_claim": "tfeval.money.claimed",
    "claim_by_deadweight": "tfeval.money.claimed",
    "appraise_2019": "tfeval.money.evaluation_2019",
    "account_2019": "tfeval.money.evaluation_2019",
    "rebuilt_2019": "tfeval.money.rebuilt_2019",
    "costs_of_a_family": "tfeval.money.could_know",
    "appraise": "tfeval.money.appraise",
    "decay": "tfeval.money.decay",
    "appraise_areas": "tfeval.money.area_values",
    "appraise_designs": "tfeval.money.designs",
    "average_designs": "tfeval.money.designs",
    "with_doubt": "tfeval.money.designs",
    "value_of_information": "tfeval.money.decisions",
    "value_of_study": "tfeval.money.decisions",
    "evaluation_cost": "tfeval.money.decisions",
    "worst_case_error": "tfeval.money.appraisal",
    "marginal_value": "tfeval.money.account",
    "Appraisal": "tfeval.money.appraisal",
    "AreaAppraisals": "tfeval.money.area_values",
    "DesignAppraisals": "tfeval.money.designs",
    "DesignAverages": "tfeval.money.designs",
    "StudyValue": "tfeval.money.decisions",
    "EvaluationCost": "tfeval.money.decisions",
    "Uncertainty": "tfeval.money.uncertainty",
    "Decay": "tfeval.money.decay",
    # audit
    "read_known_truth": "tfeval.audit.summary",
    "KnownTruth": "tfeval.audit.summary",
    # report
    "answer": "tfeval.report.notebook_parts",
    "provenance": "tfeval.report.notebook_parts",
    "section_banner": "tfeval.report.notebook_parts",
    "record": "tfeval.report.record",
    "record_table": "tfeval.report.notebook_parts",
    "read_records": "tfeval.report.record",
    "records_of": "tfeval.report.chapters.linked",
    "chapters": "tfeval.report.chapters",
    # explorer
    "explore": "tfeval.explorer.explore",
    "Explorer": "tfeval.explorer.explore",
    # errors
    "TfevalError": "tfeval.errors",
    "DataError": "tfeval.errors",
    "ParameterError": "tfeval.errors",
    "SourceError": "tfeval.errors",
    "ReportError": "tfeval.errors",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "__version__":  # it stands in pyproject.toml, and nowhere else
        return import_module("tfeval.report.fingerprint").tfeval_version()
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tfeval' has no attribute {name!r}")
    module = import_module(_PUBLIC[name])
    found = getattr(module, name, module)
    plain = isinstance(found, (type, ModuleType)) or not callable(found)
    return found if plain else _public(name, found)


@cache
def _public(name: str, function: Callable[..., Any]) -> FunctionType:
    """Return a function that says what it was given wrongly, under the name it has here."""
    made = import_module("tfeval.calls").public(function)
    made.__module__, made.__qualname__ = __name__, name  # as another process finds it
    return made


def __dir__() -> list[str]:
    return sorted(__all__)
