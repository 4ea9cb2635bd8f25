"""The ensemble's reports as Markdown: what is adopted, and what health is made of.

Belongs here: wording and layout. Does not belong here: the figures of a version (`training.py`).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.learning import markdown


def evaluation_markdown(card: Mapping[str, Any]) -> str:
    """Return base model against correction, target by target."""
    return "\n".join(
        [
            f"## Ensemble {card.get('version', '')} on other people at a later time",
            "",
            "A correction learns from what the base models say of customers they were not fitted "
            "on. It is adopted only where the whole 95 % interval of what it gains on the test "
            "customers lies above 0; elsewhere the base model's own prediction stands.",
            "",
            targets_table(card["targets"]),
        ]
    )


def targets_table(targets: Mapping[str, Any]) -> str:
    """Return loss of base and correction of every target as a Markdown table."""
    rows = []
    for name, target in targets.items():
        gain = target["gain"]
        rows.append(
            (
                name.replace("_", " "),
                target["unit"],
                f"{target['base_loss']['value']:.5g}",
                f"{target['refined_loss']['value']:.5g}",
                f"{gain['value']:.3g} ({gain['low']:.3g} to {gain['high']:.3g})",
                target["trees"],
                "the correction" if target["adopted"] else "the base model",
            )
        )
    head = ("prediction", "loss", "base", "corrected", "gain (95 %)", "trees", "served")
    return markdown.table(head, rows)


def health_report(parts: pd.DataFrame, targets: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return what the health of a day's customers is made of.

    Returns:
        Mean, spread and share of each part as JSON data, and as Markdown.
    """
    health = parts.sum(axis=1)
    table = {
        part: {
            "mean": float(parts[part].mean()),
            "deviation": float(parts[part].std(ddof=0)),
            "correlation": float(_correlation(parts[part], health)),
        }
        for part in parts.columns
    }
    lines = [
        "## What customer health is made of",
        "",
        f"Health of {len(parts):,} customers: mean {health.mean():.1f} points, "
        f"10 % below {health.quantile(0.1):.1f}, 10 % above {health.quantile(0.9):.1f}. "
        "The parts add up to it; a customer's reasons are the parts that set them apart.",
        "",
        markdown.table(
            ["part", "mean points", "standard deviation", "correlation with health"],
            [
                (
                    part,
                    f"{figures['mean']:.1f}",
                    f"{figures['deviation']:.1f}",
                    f"{figures['correlation']:.2f}",
                )
                for part, figures in table.items()
            ],
        ),
        "",
        "### Corrections in use",
        "",
        targets_table(targets),
    ]
    return {"parts": table, "customers": len(parts)}, "\n".join(lines)


def _correlation(part: pd.Series, health: pd.Series) -> float:
    """0 where either does not vary, of which a correlation says nothing."""
    if part.nunique() < 2 or health.nunique() < 2:
        return 0.0
    return float(part.corr(health))
