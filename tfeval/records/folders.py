"""Write folders whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfeval.errors import TfevalError


@contextmanager
def written_whole(*targets: Path) -> Iterator[list[Path]]:
    """Give folders to write in, which take their names only when all is written.

    Parameters
    ----------
    *targets : Path
        Folders to be made; none may exist, so nothing is ever overwritten.

    Raises
    ------
    TfevalError
        If one exists.
    """
    for target in targets:
        if target.exists():
            raise TfevalError(f"{target} exists already: remove it, or choose another folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
    drafts = [target.with_name(f".{target.name}-{uuid.uuid4().hex[:12]}") for target in targets]
    try:
        for draft in drafts:
            draft.mkdir()
        yield drafts
        for draft, target in zip(drafts, targets, strict=True):
            draft.rename(target)
    finally:
        for draft in drafts:
            shutil.rmtree(draft, ignore_errors=True)
