"""Ready tables and charts of each chapter: results in, what people read out."""

from tfeval.report.chapters import (
    authority,
    budget,
    claims,
    comparison,
    families,
    impact,
    ledger,
    rules,
    savings,
    summary,
    unverified,
)

__all__ = [
    "authority",
    "budget",
    "claims",
    "comparison",
    "families",
    "impact",
    "ledger",
    "rules",
    "savings",
    "summary",
    "unverified",
]
