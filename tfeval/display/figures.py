"""What a chart is here: a picture, its words for those who cannot see it, and the data it draws."""

from __future__ import annotations

import io
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from tfeval.display.tables import Citation, source_line
from tfeval.display.words import plain
from tfeval.errors import ReportError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# What a notebook's outputs say about an analysis plan, for the page and the manifest.

PLAN_MIME = "application/vnd.tfeval.plan+json"
#: Digits of a hash that readers are shown.
SHORT = 12


def show_plan(content: Mapping[str, Any], text: str) -> None:
    """Leave word of a plan in the running cell's outputs; outside a notebook do nothing.

    Parameters
    ----------
    content : mapping
        `title`, `version`, `date`, `sha256`; after a table of effects was marked, also
        `planned`, `sensitivity` and `exploratory`.
    text : str
        The same in one line.

    Examples
    --------
    >>> show_plan({"title": "Effects"}, "Analysis plan: Effects")
    """
    # A process without IPython should not pay for importing it.
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    from IPython.display import display  # noqa: PLC0415

    display({PLAN_MIME: dict(content), "text/plain": text}, raw=True)


CHART_MIME = "application/vnd.tfeval.chart+json"
DPI = 144
WIDTH = 7.5  # inches: 720 CSS pixels, the width of a page's text

# Government Analysis Function, "Data visualisation: colours in charts" (main palette).
DARK_BLUE = "#12436D"
TURQUOISE = "#28A197"
DARK_PINK = "#801650"
ORANGE = "#F46A25"
DARK_GREY = "#3D3D3D"
LIGHT_PURPLE = "#A285D1"
PALETTE = (DARK_BLUE, TURQUOISE, DARK_PINK, ORANGE, DARK_GREY, LIGHT_PURPLE)
PALE = "#BFC9D1"  # for what is only context
GRID = "#DEE0E2"
INK = "#0B0C0C"

_STYLE: Any = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same picture on every machine
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.labelsize": 12,
    "axes.edgecolor": DARK_GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 1.0,
    "xtick.color": DARK_GREY,
    "ytick.color": DARK_GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "lines.linewidth": 2.5,
    "lines.markersize": 8,
    "legend.frameon": False,
    "text.parse_math": False,  # a dollar sign is a dollar sign
}


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart ready to show; display it as the last line of a notebook's cell.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        The picture.
    title : str
        What it shows, as a heading.
    alt : str
        What a reader who cannot see it needs: the kind of chart and its message. At least 20
        characters, and not the title again.
    data : DataFrame
        What is drawn, in the order drawn.
    sources : tuple of Citation
        Where the data were published; empty for computed data.
    """

    figure: Figure
    title: str
    alt: str
    data: pd.DataFrame
    sources: tuple[Citation, ...] = field(default=())

    def __post_init__(self) -> None:
        check_words(self.title, self.alt)

    def png(self) -> bytes:
        """Return the picture as PNG, the same bytes on every run with the same libraries."""
        return self._drawn

    # Kept, because matplotlib's layout moves by a hair when a figure is drawn again.
    @cached_property
    def _drawn(self) -> bytes:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

        buffer = io.BytesIO()
        with chart_style():
            FigureCanvasAgg(self.figure).print_png(buffer, metadata={"Software": None})
        return buffer.getvalue()

    def content(self) -> dict[str, Any]:
        """Return words and data as JSON holds them, numbers rounded to six digits."""
        rows = [[plain(value) for value in row] for row in self.data.itertuples(index=False)]
        return {
            "title": self.title,
            "alt": self.alt,
            "data": {"columns": [str(name) for name in self.data.columns], "rows": rows},
            "sources": [vars(source) for source in self.sources],
        }

    def text(self) -> str:
        """Return title, description and sources as plain text."""
        return "\n".join(
            part for part in (self.title, self.alt, source_line(self.sources, html=False)) if part
        )

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        wide, high = self.figure.get_size_inches()
        shown = {"alt": self.alt, "width": round(wide * 96), "height": round(high * 96)}
        bundle = {
            "image/png": self.png(),
            CHART_MIME: self.content(),
            "text/plain": self.text(),
        }
        return bundle, {"image/png": shown}

    def __repr__(self) -> str:
        return self.text()


def check_words(title: str, alt: str) -> None:
    """Refuse a chart without a title or without a description of its own.

    Raises
    ------
    ReportError
        If the title is empty, or the alt text is shorter than 20 characters or the title again.
    """
    if not title.strip():
        raise ReportError("A chart needs a title.")
    if len(alt.strip()) < 20:
        raise ReportError(
            f'The chart "{title}" needs alt text of at least 20 characters: '
            "say what kind of chart it is and what it shows."
        )
    if alt.strip().casefold().rstrip(".") == title.strip().casefold().rstrip("."):
        raise ReportError(
            f'The alt text of the chart "{title}" only repeats the title: say what it shows.'
        )


@contextmanager
def chart_style() -> Iterator[None]:
    """Apply the house style to what is drawn inside; nothing stays changed outside."""
    import matplotlib as mpl  # noqa: PLC0415

    # On top of matplotlib's own defaults, so that a user's settings change no report.
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


@contextmanager
def drawing(title: str, height: float, alt: str) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure and its one set of axes in the house style, with the title set.

    Parameters
    ----------
    title : str
        Drawn bold and to the left.
    height : float
        Inches; the width is fixed.
    alt : str
        Checked before anything is drawn.
    """
    check_words(title, alt)
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    with chart_style():
        layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout=layout)
        axes = figure.add_subplot()
        yield figure, axes
        figure.suptitle(textwrap.fill(title, 68), x=0.01, ha="left", fontsize=13, fontweight="bold")
