"""The report never says more than it knows: the gate finds planted faults, and none as stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.report import claim_gate, page_gate
from tfeval.report.publish import Page, publish
from tfeval.settings import project_folder

#: Notebooks that are pages of a report, stored with their outputs.
STORED = sorted(path for path in project_folder("notebooks").glob("*.ipynb")
                if path.stem != "explore")  # fmt: skip


def page(html: str) -> BeautifulSoup:
    return BeautifulSoup(f'<main id="main">{html}</main>', "html.parser")


def grid(caption: str, heads: str, *rows: str, notes: str = "", section: str = "") -> str:
    """Return a table, with its cells between bars, under a heading and over its notes."""
    body = "".join(f"<tr><td>{'</td><td>'.join(row.split('|'))}</td></tr>" for row in rows)
    top = "".join(f"<th>{head}</th>" for head in heads.split("|"))
    return (
        f"<h2>{section}</h2><table><caption>{caption}</caption><thead><tr>{top}</tr></thead>"
        f'<tbody>{body}</tbody></table><div class="tfeval-under"><p>{notes}</p></div>'
    )


def figure(title: str, desc: str = "", section: str = "") -> str:
    return (
        f"<h2>{section}</h2><figure><svg><title>{title}</title><desc>{desc}</desc></svg></figure>"
    )


def recorded(cells: list[dict]) -> dict[str, str]:
    """Return the verdicts that a stored chapter records."""
    text = "\n".join("".join(out["data"].get("text/plain", "")) for cell in cells
                     for out in cell.get("outputs", []) if "data" in out)  # fmt: skip
    lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    kinds = {"confidence": "confidence", "balance": "balance", "verdict": "balance"}
    return {kinds[key]: lines[key] for key in kinds if key in lines}


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_no_stored_page_contradicts_itself_or_says_more_than_it_knows(path: Path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    made = BeautifulSoup(publish(notebook, Page(title=path.stem)), "html.parser")
    checks = (page_gate.word_faults, page_gate.table_faults, page_gate.sum_faults,
              page_gate.drawing_faults, page_gate.falling)  # fmt: skip
    found = [fault for check in checks for fault in check(made)]
    assert [*found, *claim_gate.claim_faults(made, recorded(notebook["cells"]))] == []


CHECKS = "Check|Verdict|p, adjusted"
SURENESS = "How sure does the comparison let us be?"
OUTCOMES = ("Count|+0.1 (−0.2 to 0.4)|No effect found", "Care|−1 (−2 to 0)|Not answerable")
EFFECTS = "Outcome|Difference (95% interval)|Mean, treated|Mean, comparison|p"
FAULTS = {
    "surer": "<p>There is strong evidence that it worked.</p>",
    "surer than": "<p>The programme had no effect on care.</p>",
    "surer than the": "<p>This proves that families changed.</p>",
    "confidence high, recorded": "<p>Confidence: high.</p>",
    "groups alike, recorded": "<p>after the design the groups are alike in what was recorded</p>",
    "passed at": grid("Checks", CHECKS, "Placebo|passed|0.001"),
    "passed at an": grid("Checks", f"{CHECKS}|Not ruled out, up to|Matters from",
                         "Placebo|passed|0.400|0.06|0.05", "Trend|passed|0.001|0.01|0.05"),
    "FAILED at": grid("Checks", CHECKS, "Placebo|FAILED|0.400"),
    "balanced. at": grid("D", "Design|Largest standardised difference|Verdict",
                         "full|0.300|balanced."),
    "checks failed": grid("C", CHECKS, "Placebo|FAILED|0.001")
    + grid(SURENESS, "What|Verdict", "Confidence|moderate", "Checks failed|none"),
    "not judged": grid("C", CHECKS, "Trend|cannot be judged|none")
    + grid(SURENESS, "What|Verdict", "Checks failed|none", "Checks that could not be judged|none"),
    "by the table": "<p>No effect was found on count and care.</p>"
    + grid("What each says", "Outcome|Change|Answer", *OUTCOMES),
    "significant over 0": "<p>It fell significantly, by 0.3 (−0.9 to 0.3).</p>",
    "p 0.010": grid("E", EFFECTS, "Care|−0.5 (−1.5 to 0.5)|1.0|1.5|0.010"),
    "the other way": "<p>Offences fell from 1,200 to 1,500.</p>",
    "every row the other way": grid("Offences", "Outcome|Change", "a|+0.2 (0.1 to 0.3)",
                                    "b|+0.4 (0.1 to 0.7)", section="Where offences fell"),
    "most, and": figure("Most areas gained", "3 of 8 areas gained"),
    "none, and": figure("None of 8 areas gained", "3 of 8 areas gained"),
    "all, and": figure("All areas gained", "3 of 8 areas gained"),
    "drawn per 1,000": figure("Of 961 families claimed 10 changed", "Bars per 1,000 families"),
    "by Would it": figure("None of 2 outcomes would have shown it", section="Seen")
    + grid("Seen", "Outcome|Would it?", "a|Yes, if", "b|No", section="Seen"),
    "untold by": figure("It would have been seen in 2 of 2 outcomes", section="Seen")
    + grid("Seen", "Outcome|The claim", "a|−1: cannot be told", "b|−2: ruled out", section="Seen"),
    "apart": grid("Costs", "Part|Pounds", "a|£10m", "b|£20m", "All together|£35m"),
    "rounded without": grid("Costs", "Part|£", "a|£1.34m", "b|£1.3m", "All together|£2.7m"),
    "is not": grid("E", EFFECTS, "Care|−0.9 (−1.5 to −0.3)|1.0|1.5|0.010"),
    "percent for points": "<p>1.7% and 2.5%: −0.8%</p>",
    "another difference": "<p>1.7% and 2.5%: −0.6 points</p>",
    "percent for": grid("C", "Outcome|Change", "Count (percentage points)|−0.8%"),
    "points for percent": grid("C", "Outcome|Relative change", "Count|−0.8 points"),
    "not the product": "<p>It cost £775m, £657 for each of 117,910 families.</p>",
    "a total for a family": grid("What it cost", "Line|For one family", "Fees|£448m"),
    "£448m and": "<p>A budget of £448m; later £448bn.</p>",
    "£449m and": "<p>A budget of £449m.</p>" + grid("C", "Line|Cost", "Fees|£449bn"),
    "a unit twice": grid("C", "Line|Cost (£m)", "Fees|£448bn"),
    "weighted_over": grid("C", "Design|Value", "censoring weighted_over_time|1"),
    "for a year": grid("C", "time|Value", "2,012|1"),
    "phase one, 2015-20": "<p>Claims of phase one, 2015-20.</p>",
    "over ['2015-20']": grid("Claims, 2012-15", "Measure|Period", "Claimed|2015-20"),
    "over ['May 2015']": grid("Claims, May 2014", "Area|Published for May 2015", "a|1"),
    "a sign twice": "<p>It fell by −5.</p>",
    "from more to less": "<p>between 9% and 4%</p>",
    "and 3 rows": grid("Two accounts side by side", "Account|£", "a|1", "b|2", "c|3"),
    "of 14 and of 15 effects": figure("None of 14 effects can be told from 0")
    + grid("The plan", "Part|What it says", "Effects on this page as planned|15 of 15"),
    "of 16 and of 19 choices": figure("In 11 of 16 specifications an interval leaves 0 out")
    + "<p>Effects under 19 specifications.</p>",
    "nine regions": grid("Sizes", "Region|Size", "North|1", "South|2", section="All nine regions"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", FAULTS)
def test_a_planted_fault_is_found(wrong: str):
    found = claim_gate.claim_faults(page(FAULTS[wrong]), {"confidence": "moderate",
                                                          "balance": "not_balanced"})  # fmt: skip
    assert len(found) == 1 and wrong in found[0]


def test_what_is_true_is_no_fault():
    true = (
        figure("Of 1,000 families 961 were claimed", "Bars per 1,000 families")
        + "<p>This is no proof that it had no effect. Nobody proves it. Confidence: moderate.</p>"
        "<p>A fall of 0.3 (−0.9 to 0.3), not significant. Offences fell from 1,500 to 1,200.</p>"
        "<p>1.7% and 2.5%: −0.8 points; £775m, £6,573 for each of 117,910 families.</p>"
        "<p>No effect was found on count. Phase one, 2012-15; between 4% and 9%.</p>"
        + grid(
            "Checks", CHECKS, "Placebo date|FAILED|0.001", "Negative controls|cannot be judged|none"
        )
        + grid(
            SURENESS,
            "What|Verdict",
            "Checks failed|placebo date",
            "Not be judged|none",
            notes="That none is a negative control speaks neither way.",
        )
        + grid("What each says", "Outcome|Change|Answer", *OUTCOMES)
        + grid("Effects", EFFECTS, "Care|−0.5 (−0.8 to −0.2)|1.0|1.5|0.010")
        + grid(
            "Costs",
            "Part|£",
            "a|£1.34m",
            "b|£1.3m",
            "All together|£2.7m",
            notes="Rounded one by one.",
        )
        + grid("Two accounts", "Account|£ a family", "a|£6,570", "b|2", section="Both")
        + figure("None of 14 effects shown can be told from 0; 1 hidden")
        + grid("The plan", "Part|What it says", "Effects on this page as planned|15 of 15")
        + figure("Most areas gained, at most 3 of 8 by chance", "5 of 8 areas gained")
    )
    read = claim_gate.claim_faults(page(true.replace(", at most 3 of 8 by chance", "")),
                                   {"confidence": "moderate", "balance": "balanced"})  # fmt: skip
    assert read == []


def test_words_of_confidence_stand_where_the_verdict_carries_them():
    said = page("<p>There is strong evidence of a fall.</p>")
    assert claim_gate.claim_faults(said, {"confidence": "high"}) == []
    assert len(claim_gate.claim_faults(said)) == 1
