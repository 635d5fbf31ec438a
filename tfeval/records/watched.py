"""Tables that say when what happened to people was taken from them, outside any cohort."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import ibis

#: Tables of who there is and where; the others are of what happened to them.
_OF_WHOM = ("families", "people", "family_moves", "coverage")
#: What was opened in this process, by the extract as it stands.
_opened: dict[str, list[str]] = {}


class Watched(Mapping[str, ibis.Table]):
    """Tables by name; whoever takes one of what happened to people has opened outcomes."""

    def __init__(self, quiet: Mapping[str, ibis.Table], opened: list[str]) -> None:
        self.quiet, self._opened = quiet, opened

    def __getitem__(self, name: str) -> ibis.Table:
        table = self.quiet[name]
        if name not in _OF_WHOM:
            self._opened.append("")
        return table

    def __contains__(self, name: object) -> bool:
        return name in self.quiet

    def __iter__(self) -> Iterator[str]:
        return iter(self.quiet)

    def __len__(self) -> int:
        return len(self.quiet)


def opened_of(source: Path) -> list[str]:
    """Return under what outcomes of a folder or file were opened: opened anew, it is not unseen."""
    files = sorted(source.rglob("*")) if source.is_dir() else [source]
    stats = [(str(one.resolve()), one.stat()) for one in files if one.is_file()]
    key = repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])
    return _opened.setdefault(key, [])
