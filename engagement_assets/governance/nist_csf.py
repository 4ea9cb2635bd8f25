"""The page of answers to the NIST Cybersecurity Framework 2.0.

    python -m engagement_assets.governance.nist_csf > docs/nist-csf.md

Belongs here: reading the answers and laying them out. Does not belong here: the answers
(`nist_csf.toml`).
"""

import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from engagement_assets.learning import markdown

ANSWERS = Path(__file__).with_suffix(".toml")
STATES = {"met": "met", "part": "in part", "outside": "outside the software"}
FUNCTIONS = {
    "GV": "Govern",
    "ID": "Identify",
    "PR": "Protect",
    "DE": "Detect",
    "RS": "Respond",
    "RC": "Recover",
}
TESTS = "engagement_assets_tests"


@dataclass(frozen=True)
class Reply:
    """How far one subcategory is met.

    Attributes:
        identifier: Of the subcategory, such as `PR.DS-01`.
        state: One of `STATES`.
        text: The answer.
        evidence: Tests that fail without the control, `path::test`, the path under `TESTS`.
    """

    identifier: str
    state: str
    text: str
    evidence: tuple[str, ...]


def replies() -> list[Reply]:
    """Return every answer, in the framework's order."""
    sections = tomllib.loads(ANSWERS.read_text())
    return [
        Reply(identifier, state, text, tuple(evidence))
        for own in sections.values()
        for identifier, (state, text, *evidence) in own.items()
    ]


def document() -> str:
    """Return the page."""
    every = replies()
    counts = Counter(one.state for one in every)
    totals = ", ".join(f"{counts[state]} {words}" for state, words in STATES.items())
    parts = [
        "# NIST Cybersecurity Framework 2.0",
        "Made by `python -m engagement_assets.governance.nist_csf > docs/nist-csf.md` from "
        "`engagement_assets/governance/nist_csf.toml`; a test holds it current, and that every "
        f"evidence is there. Of {len(every)} subcategories: {totals}. *Met* is meant of the "
        "software; the test beside it fails where the control is removed. The framework's texts "
        "are NIST's and are not repeated.",
    ]
    for prefix, title in FUNCTIONS.items():
        rows = [
            (one.identifier, STATES[one.state], one.text, "; ".join(one.evidence))
            for one in every
            if one.identifier.startswith(prefix)
        ]
        head = ("subcategory", "state", "answer", "evidence")
        parts += [f"## {title}", markdown.table(head, rows, own=True)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
