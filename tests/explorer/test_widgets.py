"""Widgets: each moved, in this process and over a kernel's own messages; errors in one line."""

from __future__ import annotations

import json
import queue
import time
from asyncio import run, sleep

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.kernels_apart import Apart
from tfeval.explorer.choices import SLOW, neighbours
from tfeval.explorer.widgets import Panel, panel

widgets = pytest.importorskip("ipywidgets")
MOVES = {
    "local_authority": "Birmingham",
    "outcome": "offences",
    "horizon": 6,
    "comparison": "below_threshold",
    "design": "entropy",
    "caliper": 0.4,
    "estimator": "difference",
}


@pytest.fixture(scope="module")
def shown(extract):
    return Panel(tf.explore(extract), widgets)


def text(shown) -> str:
    return "".join(one.value for one in shown.parts.values())


@pytest.mark.parametrize("name", MOVES)
def test_each_widget_moves_what_is_shown_and_back(shown, name):
    before, was = text(shown), shown.controls[name].value
    shown.controls[name].value = MOVES[name]
    assert "Done in" in shown.line.value
    assert text(shown) != before
    assert getattr(shown.explorer.choice, name, None) == MOVES[name] or (
        getattr(shown.explorer.choice.specification, name) == MOVES[name]
    )
    shown.controls[name].value = was
    assert text(shown) == before


def test_what_is_being_worked_out_is_said_before_it_is_and_what_is_old_too(shown):
    seen = []
    shown.line.observe(lambda change: seen.append((change["new"], text(shown))), "value")
    before, was = text(shown), shown.controls["estimator"].value
    shown.controls["estimator"].value = "difference"
    shown.line.unobserve_all()
    shown.controls["estimator"].value = was
    (first, stood), *_rest, (last, _) = seen
    assert "Working out" in first and "What was caused?" in first and "choice before" in first
    assert stood == before
    assert "Done in" in last


def test_every_choice_offered_is_one_that_can_be_taken(shown):
    choice = shown.explorer.choice
    for name, control in shown.controls.items():
        for _words, value in getattr(control, "options", ()):
            choice.but({name: value})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("extract", "nowhere", "There is no extract nowhere"),
        ("local_authority", "Rutland", ""),
        ("phase", "supporting_families", ""),
    ],
)
def test_an_error_is_one_line_and_nothing_of_another_choice_stands_under_it(
    shown, name, value, said
):
    before, was = text(shown), shown.controls[name].value
    shown.controls[name].value = value
    assert shown.line.value.count('role="alert"') == 1
    assert said in shown.line.value
    assert "\n" not in shown.line.value
    assert text(shown) == ""
    shown.controls[name].value = was
    assert text(shown) == before


def test_a_fault_of_a_library_is_told_without_its_text(shown, monkeypatch):
    def failing(*_given, **_settings):
        raise ValueError("could not convert 'Jane Doe'")

    monkeypatch.setattr("tfeval.explorer.shown.alert_html", failing)
    shown.controls["caliper"].value = 0.35
    assert "ValueError" in shown.line.value
    assert "Jane" not in shown.line.value + text(shown)
    monkeypatch.undo()
    shown.controls["caliper"].value = 0.2
    assert "Done in" in shown.line.value


def test_a_choice_in_a_cell_moves_the_widgets(shown):
    shown.explorer.choose(design="overlap", caliper=0.3)
    assert (shown.controls["design"].value, shown.controls["caliper"].value) == ("overlap", 0.3)
    assert "&quot;overlap&quot;" in text(shown)
    shown.explorer.choose(design="nearest", caliper=0.2)


def test_what_takes_longest_is_made_while_the_reader_looks_and_is_what_its_call_gives(
    shown, monkeypatch
):
    monkeypatch.setattr("tfeval.explorer.choices.PAUSE", 0.05)
    explorer, kept = shown.explorer, shown.explorer._results
    shown.controls["caliper"].value = 0.45
    slow = explorer.choice.but({"design": SLOW})
    for _ in range(600):
        if kept.holds(slow, "design"):
            break
        time.sleep(0.1)
    ahead = kept.of(slow, "design")
    again = tf.design(explorer.study, "boosted", caliper=0.45)
    np.testing.assert_array_equal(ahead.weights, again.weights)
    shown.controls["design"].value = "boosted"
    assert explorer.design is ahead
    shown.controls["design"].value = "nearest"
    shown.controls["caliper"].value = 0.2


def test_what_stands_beside_is_made_while_the_reader_looks_and_is_what_its_calls_give(
    extract, monkeypatch
):
    monkeypatch.setattr("tfeval.explorer.explore.PAUSE", 0.01)

    async def looking() -> tuple[Panel, list]:
        shown = Panel(tf.explore(extract, design="entropy"), widgets)
        before = shown.explorer.choice
        await sleep(0.02)
        # Chosen within the time: what was begun for the choice before is given up.
        shown.controls["design"].value = "overlap"
        held = shown.explorer._results.holds
        beside = neighbours(shown.explorer.choice)
        for _ in range(400):
            if held(beside[-1], "effects"):
                break
            await sleep(0.05)
        assert sum(held(one, "effects") for one in neighbours(before)) <= 1
        return shown, [one for one in beside if held(one, "effects")]

    shown, made = run(looking())
    assert len(made) >= 5  # a group may have nobody who was followed for so long
    for choice in (made[0], made[-1]):
        cell: dict = {}
        exec(tf.Explorer(choice).code, cell)
        kept = shown.explorer._results.of
        for name in ("balance", "effects"):
            pd.testing.assert_frame_equal(kept(choice, name).to_frame(), cell[name].to_frame())
    monkeypatch.setattr("tfeval.explorer.choices.eval", None, raising=False)  # nothing is left
    for name in ("comparison", "horizon"):
        shown.explorer.choose(design="overlap", horizon=12, comparison="not_yet_treated")
        shown.controls[name].value = getattr(made[0 if name == "comparison" else -1].specification,
                                             name)  # fmt: skip
        assert "Done in" in shown.line.value


def test_no_count_below_ten_is_shown(shown):
    """Effects of one authority: what the table of exact effects has below ten is hidden."""
    shown.explorer.choose(local_authority="Birmingham", outcome="all", design="entropy")
    exact = shown.explorer.effects.to_frame()
    rare = exact[(exact["events_treated"] < 10) | (exact["events_comparison"] < 10)]
    assert len(rare)
    assert shown.parts["effects"].value.count("hidden") >= 2 * len(rare)
    for estimate in rare["estimate"].dropna():
        assert f"{abs(estimate):.3f}"[:5] not in shown.parts["effects"].value or estimate == 0
    shown.explorer.choose(local_authority="all", outcome="primary", design="nearest")


def test_without_ipywidgets_the_choice_is_shown_as_it_is(extract, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    looked = tf.explore(extract, design="entropy")
    assert panel(looked) is None
    bundle = looked._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert "Are they alike?" in bundle["text/html"]


@pytest.mark.slow(reason="starts a kernel, which imports everything")
def test_a_kernel_answers_the_widgets_own_messages(extract, tmp_path):
    """As a page would move them: comm messages in, new HTML out, no error in between."""
    kernel = Apart(kernel_name="python3")
    kernel.start_kernel(cwd=str(tmp_path))
    client = kernel.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        code = f"import tfeval as tf\nlooked = tf.explore({extract!r}, design='entropy')\nlooked"
        opened = outputs(client, client.execute(code))
        models = {one["content"]["comm_id"]: one["content"]["data"]["state"] for one in opened
                  if one["msg_type"] == "comm_open"}  # fmt: skip
        by_label = {state.get("description"): (comm, state) for comm, state in models.items()}
        comm, state = by_label["Estimator"]
        other = (state["index"] + 1) % len(state["_options_labels"])
        update = {"method": "update", "state": {"index": other}, "buffer_paths": []}
        message = client.session.msg("comm_msg", {"comm_id": comm, "data": update})
        client.shell_channel.send(message)
        answered = outputs(client, message["header"]["msg_id"])
        html = [one["content"]["data"]["state"].get("value", "") for one in answered
                if one["msg_type"] == "comm_msg" and "state" in one["content"]["data"]]  # fmt: skip
        assert any("What was caused?" in str(one) for one in html)
        assert any("Done in" in str(one) for one in html)
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)


def outputs(client, asked) -> list:
    """Return what a kernel says in answer to a message, until it is idle; no error among it."""
    found = []
    while True:
        try:
            one = client.get_iopub_msg(timeout=60)
        except queue.Empty:
            raise AssertionError("the kernel does not answer") from None
        if one["parent_header"].get("msg_id") != asked:
            continue
        assert one["msg_type"] not in ("error", "stream"), json.dumps(one["content"])
        if one["msg_type"] == "status" and one["content"]["execution_state"] == "idle":
            return found
        found.append(one)
