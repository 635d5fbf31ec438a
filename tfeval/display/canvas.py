"""What charts are laid out and drawn on: each size of words is measured once in a process."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

#: Lines of words that are remembered: those of some hundred charts.
_MOST = 1 << 14
_KNOWN: dict[tuple[Any, ...], tuple[float, float, float]] = {}


class Remembers(RendererBase):
    """A renderer that does not measure again what one of its kind has measured."""

    def get_text_width_height_descent(
        self, s: str, prop: Any, ismath: Any
    ) -> tuple[float, float, float]:
        """Return the size of a line of words, in pixels."""
        # Fonts can be changed, so a copy is kept.
        line = (type(self), self.points_to_pixels(72.0), s, prop.copy(), ismath)
        if line not in _KNOWN:
            if len(_KNOWN) >= _MOST:
                _KNOWN.clear()
            _KNOWN[line] = super().get_text_width_height_descent(s, prop, ismath)
        return _KNOWN[line]

    def _get_font_height_metrics(self, prop: Any) -> tuple[float, float, float]:
        """Return what a font rises and falls by, and the gap between lines, in pixels.

        As matplotlib works it out for each text anew, which is most of what a text takes.
        """
        up, down, gap, of = _of_font(findfont(prop))
        scale = 1 / of * prop.get_size_in_points() * self.points_to_pixels(72.0) / 72
        return up * scale, -down * scale, gap * scale


@lru_cache
def _of_font(path: Any) -> tuple[int, int, int, int]:
    """Return ascender, descender, gap and units of a font's own table."""
    font = get_font(path)
    typo, head = font.get_sfnt_table("OS/2"), font.get_sfnt_table("head")
    assert typo is not None and head is not None
    lines = (typo["sTypoAscender"], typo["sTypoDescender"], typo["sTypoLineGap"])
    return (*lines, head["unitsPerEm"])


class _Pixels(Remembers, RendererAgg):
    """What pictures are drawn with."""


class _Canvas(FigureCanvasAgg):
    renderer: _Pixels | None = None
    _drawn_for: tuple[int, int, float] = (0, 0, 0.0)

    def get_renderer(self) -> _Pixels:
        wide, high = self.get_width_height(physical=True)
        wanted = (wide, high, self.figure.dpi)
        if self.renderer is None or self._drawn_for != wanted:
            self.renderer, self._drawn_for = _Pixels(*wanted), wanted
        return self.renderer


def canvas_of(figure: Figure) -> FigureCanvasAgg:
    """Return a figure's canvas, the same for its layout and its picture."""
    return figure.canvas if isinstance(figure.canvas, _Canvas) else _Canvas(figure)
