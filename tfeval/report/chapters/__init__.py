"""Ready tables and charts of each chapter: results in, what people read out."""

from tfeval.report.chapters import (
    additional,
    authority,
    budget,
    claims,
    comparison,
    deadweight,
    evidence,
    families,
    funnel,
    impact,
    known,
    ledger,
    rules,
    savings,
    summary,
    unverified,
)

__all__ = [
    "additional",
    "authority",
    "budget",
    "claims",
    "comparison",
    "deadweight",
    "evidence",
    "families",
    "funnel",
    "impact",
    "known",
    "ledger",
    "rules",
    "savings",
    "summary",
    "unverified",
]
