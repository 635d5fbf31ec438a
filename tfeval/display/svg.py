"""A figure as SVG that stays small: text is text, numbers are rounded, nothing is random.

matplotlib's own SVG has ten times the bytes, names that would meet on a page with two pictures,
and places every line of a label of several lines by the left end that its own font gives it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Transform

from tfeval.display.canvas import Remembers

#: CSS pixels to an inch.
DPI = 96
FONTS = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', "
    "'Liberation Sans', Arial, sans-serif"
)
_CIRCLE = np.asarray(Path.unit_circle().vertices)
_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
#: Shapes up to this size, in pixels, are marks: drawn whole at an edge, or not at all.
_MARK = 18
#: Pixels after which a hatch repeats.
_TILE = 72


def write_svg(figure: Figure, title: str, alt: str) -> str:
    """Return a figure that is laid out as SVG, the same text on every run.

    Parameters
    ----------
    figure : Figure
        Its layout is not made again.
    title, alt : str
        What the picture is called and what it shows, for who cannot see it.

    Returns
    -------
    str
        One element, complete as a file too. Its names begin with a hash of what it holds.
    """
    wide, high = figure.get_size_inches() * DPI
    artists = {}
    for number, text in enumerate(figure.findobj(Text)):
        text.set_gid(f"text{number}")
        artists[text.get_gid()] = text
    dpi, figure.dpi = figure.dpi, DPI
    try:
        renderer = SvgRenderer(wide, high, artists)
        figure.draw(renderer)
    finally:
        figure.dpi = dpi
    body = "\n".join(renderer.parts)
    words = f"{escape(title, quote=False)}\n{escape(alt, quote=False)}"
    mark = "c" + hashlib.sha256(f"{words}\n{body}".encode()).hexdigest()[:8]
    defined = "".join(renderer.defined)
    defined = f"<defs>{defined}</defs>\n" if defined else ""
    size = f'viewBox="0 0 {_short(wide)} {_short(high)}" width="{_short(wide)}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} height="{_short(high)}" role="img" '
        f'aria-labelledby="{mark}-title {mark}-desc" font-family="{FONTS}">\n'
        f'<title id="{mark}-title">{escape(title, quote=False)}</title>\n'
        f'<desc id="{mark}-desc">{escape(alt, quote=False)}</desc>\n'
        f"{(defined + body).replace('@', mark + '-').replace(_AT, '@')}\n</svg>\n"
    )


#: Stands for an at sign in words until names are made: "@" begins a name.
_AT = "\N{OBJECT REPLACEMENT CHARACTER}"


class SvgRenderer(Remembers):
    """What matplotlib draws on; `parts` and `defined` are the elements."""

    def __init__(self, wide: float, high: float, artists: Mapping[str | None, Text]) -> None:
        super().__init__()
        self.wide, self.high = wide, high
        self.parts: list[str] = []
        self.defined: list[str] = []
        self._names: dict[str, str] = {}
        self._artists = artists
        self._text: Text | None = None
        self._flip = Affine2D().scale(1, -1).translate(0, high)

    def get_canvas_width_height(self) -> tuple[float, float]:
        """Return CSS pixels."""
        return self.wide, self.high

    def points_to_pixels(self, points: Any) -> Any:
        """Return CSS pixels."""
        return points * DPI / 72

    def open_group(self, s: str, gid: str | None = None) -> None:
        """Take note of whose words are drawn next."""
        if s == "text":
            self._text = self._artists.get(gid)

    def close_group(self, s: str) -> None:
        """Forget whose words were drawn."""
        if s == "text":
            self._text = None

    def draw_path(
        self, gc: Any, path: Path, transform: Transform, rgbFace: Any = None,  # noqa: N803
    ) -> None:  # fmt: skip
        """Add a shape, whole or cut where the axes end."""
        if (style := self._style(gc, rgbFace)) is not None:
            self._shape(gc, path, transform, style, path.get_extents(transform))

    def draw_markers(  # noqa: PLR0917
        self, gc: Any, marker_path: Path, marker_trans: Transform, path: Path, trans: Transform,
        rgbFace: Any = None,  # noqa: N803
    ) -> None:  # fmt: skip
        """Add a mark at each point."""
        style, bounds = self._style(gc, rgbFace), marker_path.get_extents(marker_trans)
        if style is None:
            return
        for vertices, _ in path.iter_segments(trans, simplify=False):
            x, y = vertices[-2:]
            moved = Affine2D(marker_trans.get_matrix()).translate(x, y)
            self._shape(gc, marker_path, moved, style, bounds.translated(x, y))

    def _shape(self, gc: Any, path: Path, transform: Transform, style: str, bounds: Any) -> None:
        place = transform + self._flip
        if not np.isfinite(bounds.get_points()).all():
            return
        clip = gc.get_clip_rectangle()
        cut = ""
        if clip is not None and not _within(bounds, clip):
            small = max(bounds.width, bounds.height) <= _MARK
            middle = bounds.get_points().mean(axis=0)
            if not clip.padded(0.5).contains(*middle) and (small or not bounds.overlaps(clip)):
                return
            cut = "" if small else f' clip-path="url(#{self._clip(clip)})"'
        if np.array_equal(np.asarray(path.vertices), _CIRCLE):
            middle, edge = place.transform([(0.0, 0.0), (1.0, 0.0)])
            radius = float(np.hypot(*(edge - middle)))
            shape = (
                f'<circle cx="{_short(middle[0])}" cy="{_short(middle[1])}" r="{_short(radius)}"'
            )
        else:
            shape = f'<path d="{_outline(path, place)}"'
        self.parts.append(f"{shape}{style}{cut}/>")

    def draw_text(  # noqa: PLR0917
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        """Add a line of words, held at the end by which its artist is aligned."""
        size = self.points_to_pixels(prop.get_size_in_points())
        how = {"left": 0.0, "center": 0.5, "right": 1.0}
        align = self._text.get_horizontalalignment() if self._text is not None else "left"
        shift = how[align] * self.get_text_width_height_descent(s, prop, False)[0]
        turn = np.deg2rad(angle)
        x, y = x + shift * np.cos(turn), y - shift * np.sin(turn)
        words = {0.0: "", 0.5: ' text-anchor="middle"', 1.0: ' text-anchor="end"'}[how[align]]
        words += f' font-size="{_short(size)}" fill="{_colour(gc.get_rgb())}"'
        words += ' font-weight="bold"' if prop.get_weight() in ("bold", 700) else ""
        words += ' font-style="italic"' if prop.get_style() == "italic" else ""
        if angle:
            words += f' transform="rotate({_short(-angle)} {_short(x)} {_short(y)})"'
        text = escape(s, quote=False).replace("@", _AT)
        self.parts.append(f'<text x="{_short(x)}" y="{_short(y)}"{words}>{text}</text>')

    def draw_image(self, gc: Any, x: float, y: float, im: Any, transform: Any = None) -> None:
        """Refuse pixels."""
        raise NotImplementedError("A chart is made of shapes and words, not of pixels.")

    def _style(self, gc: Any, face: Any) -> str | None:
        """Return an element's colours; None if nothing of it can be seen."""
        edge, width = gc.get_rgb(), self.points_to_pixels(gc.get_linewidth())
        whole = gc.get_alpha() if gc.get_forced_alpha() else None
        fill = face is not None and (len(face) < 4 or face[3] > 0 or whole is not None)
        line = width > 0 and (edge[3] > 0 or whole is not None) and whole != 0
        if gc.get_hatch() is not None:
            words = f' fill="url(#{self._hatch(gc, face if fill else None)})"'
        elif fill and whole != 0:
            words = f' fill="{_colour(face)}"'
            words += _share("fill-opacity", face[3] if len(face) > 3 and whole is None else 1.0)
        elif line:
            words = ' fill="none"'
        else:
            return None
        if line:
            words += f' stroke="{_colour(edge)}"' + _share("stroke-width", round(width, 1))
            words += _share("stroke-opacity", edge[3] if whole is None else 1.0)
            start, dashes = gc.get_dashes()
            if dashes is not None:
                listed = " ".join(_short(self.points_to_pixels(one)) for one in dashes)
                words += f' stroke-dasharray="{listed}"'
                words += f' stroke-dashoffset="{_short(start)}"' if start else ""
        return words + _share("opacity", 1.0 if whole is None else whole)

    def _name(self, kind: str, markup: str) -> str:
        """Return the name of what is defined once and used often."""
        if markup not in self._names:
            self._names[markup] = f"@{kind}{len(self._names)}"
            self.defined.append(markup.replace("NAME", self._names[markup]))
        return self._names[markup]

    def _clip(self, box: Any) -> str:
        x, y, wide, high = box.x0, self.high - box.y1, box.width, box.height
        inside = f'<rect x="{_short(x)}" y="{_short(y)}" width="{_short(wide)}" '
        inside += f'height="{_short(high)}"/>'
        return self._name("clip", f'<clipPath id="NAME">{inside}</clipPath>')

    def _hatch(self, gc: Any, face: Any) -> str:
        lines = _outline(gc.get_hatch_path(6), Affine2D().scale(_TILE))
        ground = (
            f'<rect width="{_TILE}" height="{_TILE}" fill="{_colour(face)}"/>'
            if face is not None
            else ""
        )
        colour = _colour(gc.get_hatch_color())
        width = _short(self.points_to_pixels(gc.get_hatch_linewidth()))
        return self._name("hatch", (
            f'<pattern id="NAME" patternUnits="userSpaceOnUse" width="{_TILE}" height="{_TILE}">'
            f'{ground}<path d="{lines}" fill="{colour}" stroke="{colour}" stroke-width="{width}"/>'
            "</pattern>"
        ))  # fmt: skip


def _within(bounds: Any, clip: Any) -> bool:
    around = clip.padded(1.0)
    inside = (bounds.x0 >= around.x0, bounds.x1 <= around.x1)
    return all((*inside, bounds.y0 >= around.y0, bounds.y1 <= around.y1))


def _outline(path: Path, place: Transform) -> str:
    parts = []
    for vertices, code in path.iter_segments(place, simplify=True, curves=True):
        if code == Path.CLOSEPOLY:
            parts.append("Z")
        else:
            parts.append(_LETTERS[code] + " ".join(_short(one) for one in vertices))
    return "".join(parts)


def _short(number: float) -> str:
    """Return a number with a decimal at most; never a minus before 0."""
    return f"{round(float(number), 1) + 0.0:.1f}".removesuffix(".0")


def _share(name: str, value: float) -> str:
    return "" if value == 1.0 else f' {name}="{round(float(value), 3):g}"'


def _colour(rgba: Any) -> str:
    return to_hex(rgba[:3])
