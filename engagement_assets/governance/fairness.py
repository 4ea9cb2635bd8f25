"""One report of fairness across all models.

Belongs here: putting the models' own reports side by side. Does not belong here: measuring
(`engagement_assets.learning.fairness`) and the rule's consequence (the champion's checks).
"""

from collections.abc import Mapping
from typing import Any

from engagement_assets.learning import markdown
from engagement_assets.lifecycle.checks import NOT_TRAINED
from resources.gate import VERSION


def fairness_overview(
    reports: Mapping[str, Mapping[str, Any] | None],
) -> tuple[dict[str, Any], str]:
    """Put fairness reports side by side.

    Args:
        reports: Figures of each model's latest fairness report, by model; None where none was made.

    Returns:
        The overview as JSON data, and as Markdown.
    """
    models = {name: _verdict(figures) for name, figures in sorted(reports.items())}
    lines = [
        "## Fairness of all models",
        "",
        "A model whose 80 % rule fails beyond chance is not promoted; the models' own reports have "
        "the groups, their sizes and intervals, and the mitigation with its price.",
        "",
        markdown.table(
            ["model", "version", "80 % rule", "tests", "what fails", "not judged"],
            [
                (
                    name,
                    model["version"] or "–",
                    model["verdict"],
                    model["tests"],
                    "; ".join(model["failures"]) or "–",
                    ", ".join(model["not_judged"]) or "–",
                )
                for name, model in models.items()
            ],
        ),
    ]
    for title, key in (("Gaps that would have been seen", "power"), ("Notes", "notes")):
        texts = [
            f"- {name}: {markdown.inline(text)}"
            for name, model in models.items()
            for text in model[key]
        ]
        lines += ["", f"{title}:", "", *(texts or ["- None."])]
    return {"models": models}, "\n".join(lines)


def measure_rows(reports: Mapping[str, Mapping[str, Any] | None]) -> list[dict[str, Any]]:
    """Return every measure of every group of every model, one row each.

    Args:
        reports: As of `fairness_overview`; a model without a judged candidate has no rows.
    """
    return [
        {
            "model": name,
            "model_version": figures[VERSION],
            "verdict": figures["report"]["verdict"],
            "group_name": row["group"],
            **row,
        }
        for name, figures in sorted(reports.items())
        if figures is not None and NOT_TRAINED not in figures
        for row in figures["report"]["rows"]
    ]


def _verdict(figures: Mapping[str, Any] | None) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "version": None,
        "tests": 0,
        "failures": [],
        "not_judged": [],
        "power": [],
        "mitigated": False,
    }
    if figures is None:
        return nothing | {"verdict": "no report", "notes": ["no candidate was assessed yet"]}
    if NOT_TRAINED in figures:
        return nothing | {"verdict": "not trained", "notes": [str(figures[NOT_TRAINED])]}
    report = figures["report"]
    return {
        "version": figures[VERSION],
        "verdict": report["verdict"],
        "tests": report["tests"],
        "failures": list(report["failures"]),
        "not_judged": [about for about, word in report["verdicts"].items() if word == "not judged"],
        "power": list(report["power"]),
        "notes": list(report["notes"]),
        "mitigated": figures.get("mitigation") is not None,
    }
