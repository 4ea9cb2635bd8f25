"""An experiment as Markdown for people: what was tested, on how many, what came out, what not.

Belongs here: wording and layout. Does not belong here: the figures (`analysis.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from engagement_assets.learning import markdown
from engagement_assets.learning.experiments.analysis import (
    BETTER,
    NO_EFFECT,
    NOT_JUDGED,
    WORSE,
    Analysis,
    Row,
)

_VERDICTS = {
    "blocked": "**Nothing can be concluded**",
    "stop": "**Stop: a guardrail is harmed**",
    BETTER: "**A primary metric is better**",
    WORSE: "**A primary metric is worse**",
    "mixed": "**Primary metrics are better and worse: weigh them**",
    NO_EFFECT: "No effect is shown",
    NOT_JUDGED: "It cannot be judged yet",
}


def analysis_markdown(analysis: Analysis, *, tested: str = "", notes: Sequence[str] = ()) -> str:
    """Write an experiment for people.

    Args:
        analysis: What it shows.
        tested: What was tested, a sentence.
        notes: Further things that cannot be said, a sentence each.
    """
    design = analysis.design
    units = sum(analysis.units.values())
    arms = ", ".join(f"{name} {n:,}" for name, n in sorted(analysis.units.items()))
    reasons = analysis.blocked or analysis.harmed
    level = f"{design.confidence:.0%}"
    return "\n".join(
        [
            f"### {markdown.inline(design.name)}",
            "",
            _VERDICTS[analysis.verdict]
            + (f": {markdown.inline('; '.join(reasons))}." if reasons else "."),
            "",
            f"**What was tested.** {markdown.inline(tested)}".rstrip(". ") + ".",
            "",
            f"**On how many.** {units:,}: {markdown.inline(arms)}.",
            "",
            f"**What came out.** Intervals are {level} and hold at any look. "
            "A verdict is corrected over the metrics and variants of its role.",
            "",
            markdown.table(
                [
                    *("metric", "variant", "role", "control", "difference", "lift"),
                    *("detectable", "verdict"),
                ],
                [_cells(row) for row in analysis.rows],
            ),
            "",
            "**What cannot be said.**",
            "",
            *(f"- {markdown.inline(text)}." for text in [*_limits(analysis), *notes]),
            "",
            "**Whether the arms may be compared.**",
            "",
            *(
                f"- {finding.check}: {markdown.inline(finding.text)}."
                for finding in analysis.findings
            ),
        ]
    )


def _cells(row: Row) -> list[str]:
    head = [row.metric.replace("_", " "), row.variant, row.role]
    if row.difference is None:
        return [*head, *("–" * 4), row.verdict]
    difference = f"{row.difference:+.4g} ({row.anytime_low:+.4g} to {row.anytime_high:+.4g})"
    lift = "–" if row.relative is None else f"{row.relative:+.1%}"
    least = f"{row.least_detectable:.3g}"
    return [*head, f"{row.mean_control:.4g}", difference, lift, least, row.verdict]


def _limits(analysis: Analysis) -> list[str]:
    """What the figures do not show, a sentence each."""
    texts, unjudged = [], defaultdict(list)
    unmoved = []
    for row in analysis.rows:
        name = f"{row.metric.replace('_', ' ')} in {row.variant}"
        if row.verdict == NO_EFFECT:
            unmoved.append(name)
        elif row.shrunk is not None:
            texts.append(
                f"{name}: that the effect is as great as it looks; it is shown since it is great "
                f"(the winner's curse), and {row.shrunk:+.4g} is likeliest"
            )
        elif row.verdict == NOT_JUDGED and not analysis.blocked:
            unjudged[row.reason].append(name)
    if unmoved:
        texts.append(
            f"{', '.join(unmoved)}: that there is no effect; one of the size in the column "
            f"`detectable` would have been seen with a chance of {analysis.design.power:.0%}, a "
            "smaller one seldom"
        )
    texts += [f"{', '.join(names)}: {reason}" for reason, names in unjudged.items()]
    if analysis.blocked:
        texts.append("whether any difference in the table is an effect")
    return texts or ["nothing beyond the intervals"]
