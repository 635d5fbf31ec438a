"""A cell's outputs as HTML: charts as figures with their data, text, tables, errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import pandas as pd

from tfeval.display.figures import CHART_MIME
from tfeval.display.sources import Citation, source_line
from tfeval.display.tables import table
from tfeval.errors import ReportError
from tfeval.report.record import RECORD_MIME
from tfeval.report.record_tables import TABLE_MIME

_SHOWN_LINES = 200


def render_output(output: Mapping[str, Any]) -> str:
    """Return one output of a cell as HTML."""
    if output["output_type"] == "stream":
        return _stream(output)
    if output["output_type"] == "error":
        return _error(output)
    data = output.get("data", {})
    kind = next((kind for kind in _SHOWN if kind in data), "text/plain")
    return _SHOWN.get(kind, _plain)(data, output.get("metadata", {}))


def only_records(outputs: list[Mapping[str, Any]]) -> bool:
    """Tell whether a cell shows recorded values and nothing else."""
    kinds = [output.get("data", {}) for output in outputs]
    return bool(kinds) and all(RECORD_MIME in kind or TABLE_MIME in kind for kind in kinds)


def _record(data: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return f'<p class="record">{escape(_text(data["text/plain"]))}</p>'


def _html(data: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return _text(data["text/html"])


def _latex(data: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return math_html(_text(data["text/latex"]).strip().strip("$"), block=True)


def _picture(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    kind = "image/png" if "image/png" in data else "image/jpeg"
    return f"<figure>{_image(data[kind], kind, metadata.get(kind, {}).get('alt', ''))}</figure>"


def _plain(data: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return f'<pre class="stream">{escape(_shortened(_text(data.get("text/plain", ""))))}</pre>'


def _figure(data: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    chart = data[CHART_MIME]
    cited = tuple(Citation(**source) for source in chart["sources"])
    line = f"<p>{source_line(cited, html=True)}</p>" if cited else ""
    drawn = chart["data"]
    frame = pd.DataFrame(drawn["rows"], columns=drawn["columns"])
    behind = table(frame, f"Data: {chart['title']}").html()
    return (
        f"<figure>{_image(data['image/png'], 'image/png', chart['alt'])}\n<figcaption>{line}"
        f"<details><summary>Data behind this figure</summary>{behind}</details>"
        "</figcaption></figure>"
    )


def _image(content: str | list[str], kind: str, alt: str) -> str:
    packed = "".join(_text(content).split())
    return f'<img src="data:{kind};base64,{packed}" alt="{escape(alt, quote=True)}">'


def _stream(output: Mapping[str, Any]) -> str:
    kind = "stream stderr" if output["name"] == "stderr" else "stream"
    return f'<pre class="{kind}">{escape(_shortened(_text(output["text"])))}</pre>'


def _shortened(text: str) -> str:
    lines = text.rstrip("\n").split("\n")
    if len(lines) <= _SHOWN_LINES:
        return "\n".join(lines)
    left_out = f"[{len(lines) - _SHOWN_LINES:,} lines left out; the notebook has them all]"
    half = _SHOWN_LINES // 2
    return "\n".join([*lines[:half], left_out, *lines[-half:]])


def _error(output: Mapping[str, Any]) -> str:
    # Never the traceback: a library's text in it may quote a row.
    return f'<p class="message">{escape(output["ename"])}: {escape(output["evalue"])}</p>'


def _text(content: str | list[str]) -> str:
    return content if isinstance(content, str) else "".join(content)


def math_html(formula: str, *, block: bool) -> str:
    r"""Return a TeX formula as MathML.

    Raises
    ------
    ReportError
        If the formula cannot be read.

    Examples
    --------
    >>> math_html("x", block=False)[:30]
    '<math xmlns="http://www.w3.org'
    """
    from latex2mathml.converter import convert  # noqa: PLC0415

    try:
        made = convert(formula.strip(), display="block" if block else "inline")
    except Exception as fault:
        kind = type(fault).__name__
        raise ReportError(f"The formula {formula.strip()} cannot be read ({kind}).") from None
    unknown = re.search(r">(\\[A-Za-z]+)<", made)
    if unknown:
        raise ReportError(f"The formula {formula.strip()} has the unknown command {unknown[1]}.")
    return made


# The first kind that an output has is the one shown.
_SHOWN: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    RECORD_MIME: _record,
    TABLE_MIME: _record,
    CHART_MIME: _figure,
    "text/html": _html,
    "text/latex": _latex,
    "image/png": _picture,
    "image/jpeg": _picture,
}
