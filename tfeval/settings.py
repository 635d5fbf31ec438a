"""Settings that are defined once, frozen and checked; and where the project keeps its folders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass, field, fields
from functools import lru_cache, wraps
from numbers import Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tfeval.calls import Checked, is_table, kind_of
from tfeval.errors import ParameterError, TfevalError, suggest

# Where the project keeps its figures and notebooks.

#: Set in the kernel of a report's run: what a page writes beside it stays with the page.
KEEPS_FILES = "TFEVAL_KEEPS_FILES"
#: What says how many threads linear algebra takes: on all cores they wait for one another where
#: processes run side by side. Read by a process as it starts.
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
#: How long a cell of a report may take unless more is asked for.
CELL_MINUTES = 60.0
_PACKAGE = Path(__file__).resolve().parent
_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


def project_folder(name: str) -> Path:
    """Return the project's folder `name` ("data" or "notebooks").

    In a checkout it lies beside the package; in an installed wheel, inside it.

    Raises
    ------
    TfevalError
        If neither place has it: the installation is incomplete.

    Examples
    --------
    >>> project_folder("data").name
    'data'
    """
    for folder in (_PACKAGE / "_project" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise TfevalError(
        f"The project's folder {name}/ is missing: reinstall tfeval, or run from a full checkout."
    )


@contextmanager
def while_shared(kept: ContextVar[Any]) -> Iterator[None]:
    """Open a place in which work that is the same is kept, and forget it all when it is closed.

    Each thread has its own: none takes away what another is working with.
    """
    before = kept.set({})
    try:
        yield
    finally:
        kept.reset(before)


def once(made: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """Let a function make each of its results once; each caller has a copy, to do with as it likes.

    What is kept is handed to nobody: what one caller changed would be changed for all.
    """
    kept: Callable[..., _Made] = lru_cache(maxsize=64)(made)

    @wraps(made)
    def own(*rest: _Given.args, **named: _Given.kwargs) -> _Made:
        return deepcopy(kept(*rest, **named))

    return own


@dataclass(frozen=True)
class Meaning:
    """What a setting means and may be.

    Attributes
    ----------
    words : str
        One line for readers: the comment of a notebook's parameter, the command line's help.
    noun : str
        Of one value, for messages.
    known : callable, optional
        Returns the values it may have; called when first needed, since some are read from files.
    official : callable, optional
        Returns a value in its official form, or raises ParameterError.
    between : callable, optional
        Returns the least and most it may be.
    unit : str
        Of a number.
    why : str
        For what lies outside the range.
    whole : bool
        Whether it is a whole number.
    """

    words: str
    noun: str = ""
    known: Callable[[], Collection[Any]] | None = None
    official: Callable[[Any], Any] | None = None
    between: Callable[[], tuple[float, float]] | None = None
    unit: str = ""
    why: str = ""
    whole: bool = False

    def checked(self, name: str, value: Any) -> Any:
        """Return a value in its official form.

        Raises
        ------
        ParameterError
            If it may not be; the message says what may.
        """
        if is_table(value):  # what it holds may be confidential, and is not quoted
            raise ParameterError(f"The parameter {name} is one value, not {kind_of(value)}.")
        if self.official is not None:
            return self.official(value)
        if self.known is not None:
            return self._among(name, value, self.known())
        return value if self.between is None else self._within(name, value, *self.between())

    def _among(self, name: str, value: Any, known: Collection[Any]) -> Any:
        # What cannot be looked up, as a list, is none of them.
        if isinstance(value, Hashable) and value in known:
            return value
        if all(isinstance(one, int) for one in known):
            listed = ", ".join(map(str, known))
            raise ParameterError(
                f"The parameter {name} is one of {listed} {self.unit}, not {value}."
            )
        raise ParameterError(f'There is no {self.noun or name} "{value}". {suggest(value, known)}')

    def _within(self, name: str, value: Any, low: float, high: float) -> Any:
        number = isinstance(value, Real) and not isinstance(value, bool)
        if number and self.whole and value != value // 1:
            raise ParameterError(f"The parameter {name} is a whole number, not {value:g}.")
        if number and low <= value <= high:
            return int(value) if self.whole else value
        unit, why = (f" {self.unit}" if self.unit else ""), (f"{self.why}" if self.why else "")
        shown = f"{value:g}" if isinstance(value, float) else value
        raise ParameterError(
            f"The parameter {name} lies between {low:g} and {high:g}{unit}, not {shown}{why}."
        )


def setting(default: Any, words: str, **meaning: Any) -> Any:
    """Return a dataclass field with its meaning; see `Meaning`."""
    return field(default=default, metadata={"meaning": Meaning(words, **meaning)})


def meanings(settings: type[Settings]) -> dict[str, Meaning]:
    """Return what the settings of a class mean, by name."""
    return {one.name: one.metadata["meaning"] for one in fields(settings)}


@dataclass(frozen=True)
class Settings(Checked):
    """Settings made with `setting`: checked when made, comparable, and told in words."""

    def __new__(cls, *_: Any, **given: Any) -> Any:
        """Refuse an unknown name with the nearest known one, before anything is made."""
        known = [one.name for one in fields(cls)]
        for name in given:
            if name not in known:
                raise ParameterError(
                    f"{cls.__name__} has no setting {name}. {suggest(name, known)}"
                )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for name, meaning in meanings(type(self)).items():
            object.__setattr__(self, name, meaning.checked(name, getattr(self, name)))

    def table(self) -> Any:
        """Return the settings as a table for readers."""
        import pandas as pd  # noqa: PLC0415

        from tfeval.display.tables import table  # noqa: PLC0415

        rows = [(name.replace("_", " ").capitalize(), str(getattr(self, name)), meaning.words)
                for name, meaning in meanings(type(self)).items()]  # fmt: skip
        frame = pd.DataFrame(rows, columns=["Setting", "Value", "What it means"])
        return table(frame, caption=str(type(self).__name__))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.table()._repr_mimebundle_()
