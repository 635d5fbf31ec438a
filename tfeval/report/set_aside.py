"""Modules imported before they are wanted: a process has none of them until it imports it.

What a notebook's process has imported says what its page rests on, and some libraries behave
differently where another is there. So a process that is forked from one with everything loaded
must not show it: its modules are set aside, and come back, each with all that it brings, when
they are imported.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class SetAside(MetaPathFinder, Loader):
    """Modules that were imported, and which modules the body of each imports."""

    def __init__(self) -> None:
        self.modules: dict[str, ModuleType] = {}
        self._needs: defaultdict[str, set[str]] = defaultdict(set)
        self._specs: dict[str, ModuleSpec | None] = {}
        self._bound: set[str] = set()

    def load(self, groups: Iterable[Iterable[str]]) -> None:
        """Import modules, with all that they import; what is not installed is left out.

        Parameters
        ----------
        groups : iterable of iterable of str
            Each group is hidden before the next is imported: what a compiled module imports is
            only seen where it is not there already.
        """
        sys.meta_path.insert(0, self)
        with _as_in_a_kernel(), _watched(self._needs, self):
            for group in groups:
                before = set(sys.modules)
                for name in group:
                    with suppress(ImportError):
                        importlib.import_module(name)
                self._hide([name for name in sys.modules if name not in before])

    def _hide(self, new: list[str]) -> None:
        """Take modules away from this process until they are imported."""
        needs = self._needs
        for name in new:
            parent = name.rpartition(".")[0]
            if name not in needs and parent in needs:  # made by another's body and not imported
                needs[parent].add(name)
            if parent:
                needs[name].add(parent)
        for name in new:
            if name not in needs:  # nor does it lie in a package: it stays
                continue
            module = sys.modules.pop(name)
            if name not in self.modules:
                self.modules[name], self._specs[name] = module, module.__spec__
            parent, _, child = name.rpartition(".")
            holder = self.modules.get(parent) or sys.modules.get(parent)
            if holder is not None and vars(holder).get(child) is module:
                delattr(holder, child)
                self._bound.add(name)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec by which a module that was set aside comes back."""
        module = self.modules.get(name)
        if module is None:
            return None
        return ModuleSpec(name, self, is_package=hasattr(module, "__path__"))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module as it was."""
        return self.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Bring back all that the module's body imports; the body itself ran before."""
        spec = module.__spec__
        assert spec is not None  # the import system has just given it
        module.__spec__ = self._specs[spec.name]
        waiting, seen = list(self._needs[spec.name]), {spec.name}
        while waiting:
            name = waiting.pop()
            if name in seen or name in sys.modules or name not in self.modules:
                continue
            seen.add(name)
            sys.modules[name] = self.modules[name]
            waiting += self._needs[name]
        for name in seen & self._bound:
            parent, _, child = name.rpartition(".")
            setattr(sys.modules[parent], child, self.modules[name])


@contextmanager
def _as_in_a_kernel() -> Iterator[None]:
    """Let libraries that ask where they are imported find a notebook's kernel; polars none."""
    kernel = type("Kernel", (), {"kernel": None})()
    builtins.get_ipython = lambda: kernel  # type: ignore[attr-defined]
    absent = "polars" not in sys.modules
    if absent:  # statsmodels imports it if it is there, and its threads break what is forked
        sys.modules["polars"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del builtins.get_ipython  # type: ignore[attr-defined]
        if absent:
            del sys.modules["polars"]


class _Watch(MetaPathFinder):
    """Notes which modules each module's body imports, whether or not they were there already."""

    def __init__(self, needs: defaultdict[str, set[str]], aside: SetAside) -> None:
        self._needs, self._aside = needs, aside
        self._running: list[str] = []
        self._import, self._module = builtins.__import__, importlib.import_module

    def note(self, name: str) -> None:
        """Note that the body that runs imports a module."""
        if self._running:
            self._needs[self._running[-1]].add(name)

    def imported(self, name: str, *given: Any, **named: Any) -> ModuleType:
        """Import as a statement does."""
        made = self._import(name, *given, **named)
        # As __import__ takes them: globals, locals, fromlist, level.
        parts = (given[2] if len(given) > 2 else named.get("fromlist")) or ()
        full = getattr(made, "__name__", name) if parts else name
        self.note(full)
        for part in parts:
            if f"{full}.{part}" in sys.modules:
                self.note(f"{full}.{part}")
        return made

    def module(self, name: str, package: str | None = None) -> ModuleType:
        """Import as `importlib.import_module` does."""
        made = self._module(name, package)
        self.note(getattr(made, "__name__", name))
        return made

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Leave finding to the others, and see to it that the body is watched."""
        self.note(name)
        specs = (finder.find_spec(name, path, target) for finder in sys.meta_path
                 if finder is not self)  # fmt: skip
        spec = next((one for one in specs if one is not None), None)
        if spec is not None:
            self._needs[name]  # even of what imports nothing, or has no body that can be watched
            loader = spec.loader
            plain = isinstance(loader, type) or not hasattr(loader, "__dict__")
            if not plain and loader is not self._aside:
                self._watch(loader, name)
        return spec

    def _watch(self, loader: Any, name: str) -> None:
        body = loader.exec_module

        def run(module: ModuleType) -> None:
            self._running.append(name)
            try:
                body(module)
            finally:
                self._running.pop()
                del loader.exec_module

        loader.exec_module = run


@contextmanager
def _watched(needs: defaultdict[str, set[str]], aside: SetAside) -> Iterator[None]:
    watch = _Watch(needs, aside)
    plain = builtins.__import__, importlib.import_module
    sys.meta_path.insert(0, watch)
    builtins.__import__, importlib.import_module = watch.imported, watch.module
    try:
        yield
    finally:
        builtins.__import__, importlib.import_module = plain
        sys.meta_path.remove(watch)
