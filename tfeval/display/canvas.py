"""What charts are laid out and drawn on: each size of words is measured once in a process."""

from __future__ import annotations

from typing import Any

from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure

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
