"""The widgets: one a choice; what is chosen is computed at once, and an error is one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from time import perf_counter
from typing import Any

from tfeval.cohort.cohort import comparison_groups
from tfeval.display.names import capital, method_words
from tfeval.errors import TfevalError
from tfeval.explorer.choices import ALL_AREAS, EVERY, PRIMARY
from tfeval.explorer.shown import PARTS, QUICKEST, fault_line, part, working_line
from tfeval.impact.specification import DESIGNS, Specification
from tfeval.programme.claims import authorities
from tfeval.programme.outcomes import outcome_label, reported_outcomes
from tfeval.programme.programmes import programmes
from tfeval.settings import meanings

#: What each choice is called, in the order of the widgets.
LABELS = {
    "extract": "Records",
    "phase": "Phase",
    "local_authority": "Authority",
    "outcome": "Outcome",
    "horizon": "Months after",
    "comparison": "Compared",
    "design": "Design",
    "caliper": "Caliper",
    "estimator": "Estimator",
}
#: JupyterLab's own style of what cells show, light or dark: widgets do not have it.
_LOOKS = "jp-RenderedHTMLCommon"
_ROOM = {
    "who": {"width": "100%"},
    "balance": {"flex": "2 1 20em", "min_width": "0"},
    "effects": {"flex": "3 1 28em", "min_width": "0", "overflow": "auto"},
}
_WIDE, _LABEL = "100%", "7em"


def panel(explorer: Any) -> Any:
    """Return the widgets of an explorer, in a box; None where ipywidgets is not installed."""
    try:
        widgets = import_module("ipywidgets")
    except ImportError:
        return None
    return Panel(explorer, widgets).box


class Panel:
    """The widgets and what stands under them.

    Attributes
    ----------
    controls : dict of str to widget
        By the name of what they choose.
    parts : dict of str to widget
        Who is compared, balance, effects: HTML.
    line : widget
        How long it took, or what is wrong: HTML.
    box : widget
        All of it.
    """

    def __init__(self, explorer: Any, widgets: Any) -> None:
        self.explorer, self._busy = explorer, False
        self.controls = {name: _control(name, explorer, widgets) for name in LABELS}
        self.line = widgets.HTML()
        # Balance and effects side by side where there is room.
        self.parts = {name: widgets.HTML(layout=_ROOM[name]) for name in PARTS}
        columns = "repeat(auto-fit, minmax(24em, 1fr))"
        grid = widgets.GridBox(
            list(self.controls.values()),
            layout={"grid_template_columns": columns, "grid_gap": "0 1em", "width": _WIDE},
        )
        beside = widgets.Box(
            list(self.parts.values()), layout={"flex_flow": "row wrap", "width": _WIDE}
        )
        self.box = widgets.VBox([grid, self.line, beside], layout={"width": _WIDE})
        self.box.tfeval_panel = self  # its parts for tests and for whoever holds the box
        for name, control in self.controls.items():
            control.observe(lambda change, name=name: self._moved(name, change["new"]), "value")
        explorer.on_change(self._follow)
        self._show()

    def _moved(self, name: str, value: Any) -> None:
        if self._busy:
            return
        try:
            self.explorer.choose(**{name: value.strip() if isinstance(value, str) else value})
        except TfevalError as fault:
            self._say_fault(fault)

    def _follow(self) -> None:
        """Bring the widgets in step with what was chosen, here or in a cell."""
        self._busy = True
        try:
            for name, control in self.controls.items():
                control.value = _value(self.explorer, name)
        finally:
            self._busy = False
        self._show()

    def _show(self) -> None:
        began = perf_counter()
        try:
            for place, name in enumerate(QUICKEST):
                left = QUICKEST[place:]
                # At once: trees take seconds the first time.
                stale = any(self.parts[one].value for one in left)
                self.line.value = working_line(left, stale=stale)
                made = part(self.explorer, name)
                self.parts[name].value = f'<div class="{_LOOKS}">{made}</div>'
        except Exception as fault:
            self._say_fault(fault)
            return
        self.line.value = f'<p role="status">Done in {perf_counter() - began:.1f} seconds.</p>'
        self.explorer.look_ahead()

    def _say_fault(self, fault: BaseException) -> None:
        # Results of another choice must not stand under this one.
        for one in self.parts.values():
            one.value = ""
        self.line.value = fault_line(fault)


def _value(explorer: Any, name: str) -> Any:
    choice = explorer.choice
    return getattr(choice, name, None) or getattr(choice.specification, name)


def _control(name: str, explorer: Any, widgets: Any) -> Any:
    said = {"description": LABELS[name], "style": {"description_width": _LABEL},
            "layout": {"width": "auto"}, "value": _value(explorer, name)}  # fmt: skip
    if name == "extract":
        return widgets.Text(continuous_update=False, tooltip=_EXTRACT, **said)
    meaning = meanings(Specification).get(name)
    if name == "caliper":
        said |= {"min": 0.05, "max": 1.0, "step": 0.05, "tooltip": meaning.words if meaning else ""}
        return widgets.FloatSlider(continuous_update=False, readout_format=".2f", **said)
    return widgets.Dropdown(options=list(_options(name)), **said)


_SETS = {PRIMARY: "Primary outcomes of the plan", EVERY: "All outcomes"}
_EXTRACT = "simulated, or a folder or DuckDB file of linked records"


def _options(name: str) -> Iterable[tuple[str, Any]]:
    """Return what can be chosen: its words and its value."""
    known = meanings(Specification)[name].known if name in meanings(Specification) else None
    words: dict[str, Callable[[Any], str]] = {
        "phase": lambda one: capital(one.replace("_", " ")),
        "outcome": lambda one: _SETS.get(one) or outcome_label(one),
        "comparison": lambda one: capital(comparison_groups()[one]),
        "design": lambda one: capital(DESIGNS[one].words),
        "estimator": lambda one: capital(method_words(one)),
    }
    values: Iterable[Any] = {
        "phase": programmes(),
        "local_authority": (ALL_AREAS, *sorted(authorities().values())),
        "outcome": (*_SETS, *reported_outcomes()),
    }.get(name, known() if known else ())
    return ((words.get(name, lambda one: capital(str(one)))(one), one) for one in values)
