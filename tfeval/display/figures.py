"""What a chart is here: a picture, its words for those who cannot see it, and the data it draws."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Required, TypedDict, Unpack

import pandas as pd

from tfeval.display.tables import Citation, citations, source_line
from tfeval.display.words import plain
from tfeval.errors import ReportError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure


#: Set in the kernel of one of many pages: its notebook has drawings alone, and no PNG of each.
DRAWINGS_ALONE = "TFEVAL_DRAWINGS_ALONE"

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
SVG_MIME = "image/svg+xml"
DPI = 96
#: Inches: 576 CSS pixels. A page of 390 pixels has 366 for a picture, so that words of `SMALL`
#: are 9.5 pixels high there: one picture serves a desk and a telephone.
WIDTH = 6.0
#: Points. Nothing is written smaller.
SMALL, TEXT, TITLE = 11.25, 11.5, 13.0
_EDGE, _GAP = 0.08, 0.1  # inches: around a heading, and between it and what is drawn

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
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.titleweight": "bold",
    "axes.labelsize": TEXT,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "legend.fontsize": TEXT,
    "legend.handlelength": 1.6,
    "legend.borderaxespad": 0.2,
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
        The finding, where the data hold one; else what is shown.
    alt : str
        What a reader who cannot see it needs: the kind of chart and its message. At least 20
        characters, and not the title again.
    data : DataFrame
        What is drawn, in the order drawn.
    sources : tuple of Citation
        Where the data were published; empty for computed data.
    subtitle : str
        What is shown, under a title that is a finding.
    """

    figure: Figure
    title: str
    alt: str
    data: pd.DataFrame
    sources: tuple[Citation, ...] = field(default=())
    subtitle: str = ""

    def __post_init__(self) -> None:
        check_words(self.title, self.alt)

    def svg(self) -> str:
        """Return the picture as SVG with its words, the same text on every run."""
        return self._written

    def png(self) -> bytes:
        """Return the picture as PNG, the same bytes on every run with the same libraries."""
        return self._drawn

    @cached_property
    def _written(self) -> str:
        from tfeval.display.svg import write_svg  # noqa: PLC0415

        with chart_style():
            return write_svg(self.figure, self.title, self.alt)

    @cached_property
    def _drawn(self) -> bytes:
        from tfeval.display.canvas import canvas_of  # noqa: PLC0415

        buffer = io.BytesIO()
        with chart_style():
            canvas_of(self.figure).print_png(buffer, metadata={"Software": None})
        return buffer.getvalue()

    def content(self) -> dict[str, Any]:
        """Return words and data as JSON holds them, numbers rounded to six digits."""
        rows = [[plain(value) for value in row] for row in self.data.itertuples(index=False)]
        return {
            "title": self.title,
            "subtitle": self.subtitle,
            "alt": self.alt,
            "data": {"columns": [str(name) for name in self.data.columns], "rows": rows},
            "sources": [vars(source) for source in self.sources],
        }

    def text(self) -> str:
        """Return title, description and sources as plain text."""
        cited = source_line(self.sources, html=False)
        return "\n".join(part for part in (self.title, self.subtitle, self.alt, cited) if part)

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        wide, high = self.figure.get_size_inches()
        shown = {"alt": self.alt, "width": round(wide * 96), "height": round(high * 96)}
        bundle = {SVG_MIME: self.svg(), CHART_MIME: self.content(), "text/plain": self.text()}
        if DRAWINGS_ALONE in os.environ:
            return bundle, {}
        # JupyterLab shows SVG in notebooks that it trusts, and PNG in the others.
        return bundle | {"image/png": self.png()}, {"image/png": shown}

    def __repr__(self) -> str:
        return self.text()


def check_words(title: str, alt: str) -> None:
    """Refuse a chart without a title or without a description of its own."""
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


class Captions(TypedDict, total=False):
    """The words that every chart takes by name."""

    title: Required[str]  # the heading: bold, to the left
    alt: Required[str]  # the description for who cannot see the picture
    subtitle: str  # what is drawn, if the heading is a finding
    sources: object  # as in `tfeval.display.tables.table`


def chart_of(figure: Figure, data: pd.DataFrame, **captions: Unpack[Captions]) -> Chart:
    """Return the chart of a figure that `drawing` gave, with the same captions."""
    cited, subtitle = citations(captions.get("sources")), captions.get("subtitle", "")
    return Chart(figure, captions["title"], captions["alt"], data, cited, subtitle)


@contextmanager
def drawing(
    height: float, *, title: str, alt: str, subtitle: str = "", sources: object = None
) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure and its one set of axes in the house style, and lay it out afterwards.

    Parameters
    ----------
    height : float
        Inches under the heading; the width is fixed.
    title, alt, subtitle, sources
        See `Captions`; the sources stand under the picture, and are not drawn.
    """
    check_words(title, alt)
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    from tfeval.display.canvas import canvas_of  # noqa: PLC0415

    with chart_style():
        lines = [(line, TITLE, "bold") for line in broken(title, WIDTH - 0.2, TITLE, bold=True)]
        if subtitle:
            lines += [(line, TEXT, "normal") for line in broken(subtitle, WIDTH - 0.2)]
        head = _EDGE + sum(1.3 * size / 72 for _, size, _ in lines) + _GAP
        whole = height + head
        layout = ConstrainedLayoutEngine(
            w_pad=0.06, h_pad=0.06, rect=(0, 0, 1, height / whole)
        )  # fmt: skip
        figure = Figure(figsize=(WIDTH, whole), dpi=DPI, layout=layout)
        canvas_of(figure)
        axes = figure.add_subplot()
        yield figure, axes
        down = _EDGE
        for line, size, weight in lines:
            figure.text(0.1 / WIDTH, 1 - down / whole, line, fontsize=size, fontweight=weight,
                        va="top").set_in_layout(False)  # fmt: skip
            down += 1.3 * size / 72
        # Once, for matplotlib's layout moves by a hair when a figure is drawn again.
        lay_out(figure)
        figure.set_layout_engine("none")
        _thin_ticks(figure)


def lay_out(figure: Figure) -> None:
    """Give all parts of a figure their places, as drawing it would."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)


def broken(text: str, inches: float, size: float = TEXT, *, bold: bool = False) -> list[str]:
    """Return a text in lines that are no wider than that in the widest font readers may have.

    Examples
    --------
    >>> broken("Attachment fees and results payments", 2.0)
    ['Attachment fees and', 'results payments']
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = " ".join(paragraph.split())
        if not line or text_inches(line, size, bold=bold) <= inches:
            lines.append(line)
            continue
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and text_inches(longer, size, bold=bold) > inches:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


@lru_cache(1 << 14)
def text_inches(text: str, size: float = TEXT, *, bold: bool = False) -> float:
    """Return how wide a line of text is."""
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415
    from matplotlib.textpath import text_to_path  # noqa: PLC0415

    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def _thin_ticks(figure: Figure) -> None:
    """Take numbers off axes along which they would touch."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    for axes in figure.axes:
        for axis, along in ((axes.xaxis, "x"), (axes.yaxis, "y")):
            locator = axis.get_major_locator()
            most = 7
            while isinstance(locator, MaxNLocator) and most > 1 and _touch(axis, along):
                most -= 1
                locator.set_params(nbins=most)


def _touch(axis: Axis, along: str) -> bool:
    low, high = sorted(axis.get_view_interval())
    shown = [tick.label1 for tick in axis.get_major_ticks()
             if low <= tick.get_loc() <= high and tick.label1.get_text()]  # fmt: skip
    ends = sorted(tuple(getattr(one.get_window_extent(), f"interval{along}")) for one in shown)
    gap = 8.0 if along == "x" else 2.0
    return any(after[0] < before[1] + gap for before, after in pairwise(ends))
