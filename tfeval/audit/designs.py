"""Designs of replications run together: made once where the families are alike before treatment."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from tfeval.impact.specification import DESIGNS, Specification
from tfeval.settings import while_shared

if TYPE_CHECKING:
    from tfeval.impact.design.design import Design
    from tfeval.impact.study.study import Study

_CALIPER = Specification().caliper
#: While designs are shared, each with its verdict on balance, by name and all of its study.
_shared: ContextVar[dict[tuple[str, bytes], tuple[Design, str]] | None] = ContextVar(
    "designs", default=None
)


def designs_shared() -> AbstractContextManager[None]:
    """Let replications whose studies are the same in every number share their designs.

    So are those of a world without and with its effect: a design reads nothing of what came after.
    """
    return while_shared(_shared)


def design_of(study: Study, name: str) -> tuple[Design, str]:
    """Return a design of a study, as pages make it, and its verdict on balance.

    Parameters
    ----------
    study : Study
    name : str
        A key of `DESIGNS`.

    Raises
    ------
    TfevalError
        As the design does.
    """
    shared = _shared.get()
    known = {} if shared is None else shared
    key = (name, b"" if shared is None else _all_of(study))
    if key not in known:
        made = DESIGNS[name].make(study, _CALIPER)
        known[key] = made, made.balance().verdict().word
    design, verdict = known[key]
    return replace(design, study=study), verdict


def _all_of(study: Study) -> bytes:
    """Return a digest of everything in a study that a design reads."""
    digest = blake2b(digest_size=16)

    def add(values: np.ndarray | None) -> None:
        if values is not None:
            digest.update(repr((values.dtype.str, values.shape)).encode())
            # Identifiers are objects, whose bytes are where they lie.
            plain = values.dtype != object
            digest.update(values.tobytes() if plain else repr(values.tolist()).encode())

    columns = study.covariates.columns
    said = [(one.name, one.source, one.level, one.fill, one.absent) for one in columns]
    digest.update(repr((said, study.covariates.reference, list(study.clusters))).encode())
    for values in (study.treated, study.weight, study.strata, study.unit, study.family,
                   *study.clusters.values(), *(one.raw for one in columns)):  # fmt: skip
        digest.update(b"|")
        add(values)
    return digest.digest()
