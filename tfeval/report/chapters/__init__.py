"""Ready tables and charts of each chapter: results in, what people read out."""

from tfeval.report.chapters import (
    areas,
    authority,
    budget,
    claims,
    comparison,
    effects_record,
    families,
    impact,
    ledger,
    rules,
    savings,
    specifications,
    summary,
    unverified,
    value,
    value_tables,
)

__all__ = [
    "areas",
    "authority",
    "budget",
    "claims",
    "comparison",
    "effects_record",
    "families",
    "impact",
    "ledger",
    "rules",
    "savings",
    "specifications",
    "summary",
    "unverified",
    "value",
    "value_tables",
]
