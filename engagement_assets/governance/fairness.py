"""One report of fairness across all models.

Belongs here: putting the models' own reports side by side. Does not belong here: measuring
(`engagement_assets.evaluation`) and the rule's consequence (the champion's checks).
"""

from collections.abc import Mapping
from typing import Any

from engagement_assets.lifecycle.checks import NOT_TRAINED
from resources.gate import VERSION


def fairness_overview(reports: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], str]:
    """Put fairness reports side by side.

    Args:
        reports: Figures of each model's fairness report, by model.

    Returns:
        The overview as JSON data, and as Markdown.
    """
    models = {name: _verdict(figures) for name, figures in sorted(reports.items())}
    lines = [
        "## Fairness of all models",
        "",
        "A model whose rule fails beyond chance is not promoted; the reports of the models have "
        "the groups, their sizes and intervals, and the mitigation with its price.",
        "",
        "| model | version | 80 % rule | what fails | not judged |",
        "|---|---|---|---|---:|",
    ]
    for name, told in models.items():
        lines.append(
            f"| {name} | {told['version'] or '–'} | {told['verdict']} | "
            f"{'; '.join(told['failures']) or '–'} | {len(told['notes'])} |"
        )
    lines += ["", "What was not judged, and why:", ""]
    notes = [f"- {name}: {note}" for name, told in models.items() for note in told["notes"]]
    lines += notes or ["- Every group was judged."]
    return {"models": models}, "\n".join(lines)


def _verdict(figures: Mapping[str, Any]) -> dict[str, Any]:
    if NOT_TRAINED in figures:
        return {
            "version": None,
            "verdict": "not trained",
            "passes": None,
            "failures": [],
            "notes": [str(figures[NOT_TRAINED])],
            "mitigated": False,
        }
    report = figures["report"]
    judged = report.get("judged", True)
    return {
        "version": figures[VERSION],
        "verdict": ("holds" if report["passes"] else "fails") if judged else "not judged",
        "passes": report["passes"] if judged else None,
        "failures": list(report["failures"]),
        "notes": list(report["notes"]),
        "mitigated": figures.get("mitigation") is not None,
    }
