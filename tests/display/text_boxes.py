"""Where the words of a picture stand: which touch, which leave it, which are too small to read.

Read from the SVG alone, with the widths of DejaVu Sans, the widest font that a page may be shown
in; `tests/report/test_report_browser.py` asks a browser the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree import ElementTree

from tfeval.display.figures import SMALL, text_inches

SVG = "{http://www.w3.org/2000/svg}"
#: What a line of words reaches above and below its base, in sizes of its font.
ABOVE, BELOW = 0.74, 0.2
#: Pixels by which boxes may meet: less than a stroke.
SLACK = 0.5
#: Pixels that stay between words and the edge on which lines begin.
EDGE = 1.0


@dataclass(frozen=True)
class Words:
    text: str
    size: float
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Words) -> bool:
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > SLACK and down > SLACK


def words_of(svg: str) -> list[Words]:
    """Return every line of words in a picture with the box it takes."""
    found = []
    for one in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        size = float(one.get("font-size"))
        x, y = float(one.get("x")), float(one.get("y"))
        bold = one.get("font-weight") == "bold"
        wide = 96 * text_inches(one.text or "", size * 72 / 96, bold=bold)
        left = {"end": -wide, "middle": -wide / 2, None: 0.0}[one.get("text-anchor")]
        turn = 0.0
        if one.get("transform"):
            turn = math.radians(float(one.get("transform").removeprefix("rotate(").split()[0]))
        corners = [
            (
                x + a * math.cos(turn) - b * math.sin(turn),
                y + a * math.sin(turn) + b * math.cos(turn),
            )
            for a in (left, left + wide)
            for b in (-ABOVE * size, BELOW * size)
        ]
        xs, ys = zip(*corners, strict=True)
        found.append(Words(one.text or "", size, min(xs), min(ys), max(xs), max(ys)))
    return found


def faults_of(svg: str) -> list[str]:
    """Return what is wrong with a picture's words, a line each."""
    _, _, wide, high = map(float, ElementTree.fromstring(svg).get("viewBox").split())
    words = [one for one in words_of(svg) if one.text.strip()]
    found = [f"small ({one.size} px): {one.text}" for one in words
             if one.size < SMALL * 96 / 72 - 0.05]  # fmt: skip
    found += [
        f"outside: {one.text}"
        for one in words
        if one.left < EDGE or one.top < -SLACK or one.right > wide + SLACK
        or one.bottom > high + SLACK
    ]  # fmt: skip
    for place, one in enumerate(words):
        found += [f"touch: {one.text} | {other.text}" for other in words[place + 1 :]
                  if one.meets(other)]  # fmt: skip
    return found
