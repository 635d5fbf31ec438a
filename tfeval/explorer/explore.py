"""One analysis after another, in JupyterLab: choose, see balance and effects, take the calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from tfeval.calls import Checked
from tfeval.cohort.analysis_table import Cohort
from tfeval.explorer.ahead import Ahead
from tfeval.explorer.choices import (
    ALL_AREAS,
    PAUSE,
    PRIMARY,
    Choice,
    Results,
    neighbours,
    steps,
)
from tfeval.explorer.shown import QUICKEST, page, part
from tfeval.explorer.widgets import panel
from tfeval.impact.balance.balance import Balance
from tfeval.impact.design.design import Design
from tfeval.impact.effects.effects import Effects
from tfeval.impact.specification import Specification
from tfeval.impact.study.study import Study
from tfeval.records.store import Records


class Explorer(Checked):
    """An analysis whose choices can be changed, and its results. Made by `explore`.

    The results are those of the calls in `code`, made when they are first asked for and kept
    while their choices stay.

    Attributes
    ----------
    choice : Choice
        What is chosen.
    """

    def __init__(self, choice: Choice, results: Results | None = None) -> None:
        self.choice = choice
        self._results = results or Results()
        self._ahead = Ahead()
        self._heard: list[Callable[[], None]] = []
        self._panel: Any = None

    @property
    def records(self) -> Records:
        """The linked records."""
        return self._results.of(self.choice, "records")

    @property
    def families(self) -> Cohort:
        """The cohort: families on the programme and those they are compared with."""
        return self._results.of(self.choice, "families")

    @property
    def study(self) -> Study:
        """Who is compared, and on what."""
        return self._results.of(self.choice, "study")

    @property
    def design(self) -> Design:
        """Who is compared with whom."""
        return self._results.of(self.choice, "design")

    @property
    def balance(self) -> Balance:
        """How alike the groups are."""
        return self._results.of(self.choice, "balance")

    @property
    def effects(self) -> Effects:
        """Of the outcomes chosen."""
        return self._results.of(self.choice, "effects")

    @property
    def code(self) -> str:
        """The calls that give these results, to paste into a cell.

        Examples
        --------
        >>> print(explore().code.splitlines()[-3])
        balance = tf.balance(design)
        """
        lines = [step.line() for step in steps(self.choice).values()]
        return "\n".join(["import tfeval as tf", "", *lines])

    def lines(self, *names: str) -> str:
        """Return some of the calls, by what their results are called."""
        return "\n".join(steps(self.choice)[name].line() for name in names)

    def choose(self, **changes: Any) -> Explorer:
        """Change what is chosen, as a widget does; widgets that are shown follow.

        Parameters
        ----------
        **changes
            As `explore` takes them.

        Raises
        ------
        ParameterError
            If there is no such choice; nothing is changed then.

        Examples
        --------
        >>> explore().choose(design="entropy").choice.specification.design
        'entropy'
        """
        return self._take(self.choice.but(changes))

    def add(self, name: str, expression: str) -> Explorer:
        """Add a covariate to the families, and so to every design from here on.

        Parameters
        ----------
        name : str
            One added before under the same name is replaced.
        expression : str
            Of what was known before the index date; see `add_covariates`.

        Raises
        ------
        ParameterError
            If the families are there and it is no such expression; nothing is changed then.

        Examples
        --------
        >>> explore().add("any_offence", "offences_before > 0").choice.added
        (('any_offence', 'offences_before > 0'),)
        """
        added = {**dict(self.choice.added), name: expression}
        choice = self.choice.but({"added": tuple(added.items())})
        # A slip is told where it was made, in the cell, and not under the widgets.
        if self._results.holds(self.choice, "families"):
            self._results.of(choice, "families")
        return self._take(choice)

    def remove(self, name: str) -> Explorer:
        """Take away a covariate that was added."""
        added = tuple(one for one in self.choice.added if one[0] != name)
        return self._take(self.choice.but({"added": added}))

    def look_ahead(self) -> None:
        """Have what takes longest made while the reader looks; results stay what calls give.

        Boosted trees, and all that is shown of every other comparison group and horizon.
        """
        self._results.look_ahead(self.choice)
        self._ahead.begin(self._beside(), PAUSE)

    def _beside(self) -> Iterator[None]:
        if not self._results.holds_few(self.choice):
            return
        for choice in neighbours(self.choice):
            beside = Explorer(choice, self._results)
            with suppress(Exception):  # a fault is told when it is chosen
                for name in steps(choice):
                    self._results.of(choice, name)
                    yield
                for name in QUICKEST:
                    part(beside, name)
                    yield

    def on_change(self, heard: Callable[[], None]) -> None:
        """Have a function called whenever the choice changes."""
        self._heard.append(heard)

    def _take(self, choice: Choice) -> Explorer:
        self.choice = choice
        self._results.look_here()
        self._ahead.end()
        for heard in self._heard:
            heard()
        return self

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        # The widgets where there is something to show them; the choice's results everywhere else.
        shown = {"text/html": page(self), "text/plain": self.code}
        if self._panel is None:
            self._panel = panel(self)
        if self._panel is None:
            return shown
        return {**self._panel._repr_mimebundle_(), **shown}

    def __repr__(self) -> str:
        return self.code


def explore(
    extract: str = "simulated",
    *,
    phase: str = "one",
    local_authority: str = ALL_AREAS,
    outcome: str = PRIMARY,
    comparison: str = "not_yet_treated",
    treatment: str = "supported",
    horizon: int = 12,
    design: str = "nearest",
    caliper: float = 0.2,
    estimator: str = "adjusted",
    covariates: Mapping[str, str] | None = None,
) -> Explorer:
    """Choose an analysis on widgets, and see balance and effects change.

    Parameters
    ----------
    extract : str, default "simulated"
        A folder or DuckDB file of linked records; "simulated" for records made on the spot.
    phase : str, default "one"
        Phase of the programme.
    local_authority : str, default "all"
        An upper-tier authority's name or ONS code, or "all".
    outcome : str, default "primary"
        A name of the registry, "primary" for those of the project's plan, or "all".
    comparison, treatment, horizon, design, caliper, estimator
        As in `Specification`.
    covariates : mapping of str to str, optional
        Covariates added, each an expression; see `add_covariates`.

    Returns
    -------
    Explorer
        As the last line of a cell it shows the widgets (with ipywidgets, which `make lab`
        installs), and what was chosen where there are none.

    Raises
    ------
    ParameterError
        If a choice is unknown; the message names the nearest.

    Notes
    -----
    Nothing is computed before it is shown or asked for. What is found by trying choices is
    exploratory: effects are held to a plan by `estimate(..., plan=plan)`.

    Examples
    --------
    >>> explore(outcome="offences", design="entropy").choice.outcome
    'offences'
    """
    specification = Specification(
        phase=phase, comparison=comparison, treatment=treatment, horizon=horizon, design=design,
        caliper=caliper, estimator=estimator,
    )  # fmt: skip
    added = tuple((covariates or {}).items())
    return Explorer(Choice(extract, specification, local_authority, outcome, added))
