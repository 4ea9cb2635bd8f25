"""The treatment effects' evaluation as Markdown.

Belongs here: wording and layout. Does not belong here: the figures themselves (`training.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engagement_assets.learning import markdown
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.lifecycle.reports import metrics_markdown
from engagement_assets.models.treatment_effects.spec import EXPERIMENT, WINDOW_DAYS

METRIC_NAMES = {
    "effect": "Mean effect",
    "gain_over_constant": "Nearer to the scores than one effect for everybody, by",
    "groups_misjudged": "Groups misjudged beyond chance",
    "calibration_slope": "Slope of the calibration test (0: effects do not differ as predicted)",
    "autoc": "AUTOC: gain of ranking by effect",
}


def evaluation_markdown(card: Mapping[str, Any]) -> str:
    """Return the evaluation of a version."""
    model, metrics = card["estimator"], card["metrics"]
    effect, slope = (_interval(metrics[name]) for name in ("effect", "calibration_slope"))
    differ = model["served"] != "constant"
    lines = [
        f"# Effect of `{card['experiment']}` ({card['treatment']}) on engagement",
        _origin(card),
        f"{card['treated']:,} of {card['customers']:,} customers were treated; engagement is the "
        f"mean of the {WINDOW_DAYS} days after. Left out: {card['without_features']:,} without "
        f"features from before their assignment, {card['still_open']:,} whose days are not over.",
        f"**Mean effect {effect}.** {_verdict(effect)}",
        (
            f"**Effects differ between customers**: the {model['chosen']} serves; "
            if differ
            else "**That effects differ between customers is not shown, so one effect serves for "
            f"everybody.** The {model['chosen']} was the nearest; "
        )
        + f"on {card['test_customers']:,} customers set aside its slope is {slope} (1: as "
        "predicted, 0: not at all).",
        metrics_markdown(card, METRIC_NAMES),
    ]
    for name, groups in card["groups"].items():
        lines += [f"## By {name.replace('_', ' ')}", _groups(groups)]
    lines += [
        "All intervals of a table hold together with 95 %.",
        "## Who is harmed",
        _harmed(card["harmed"]),
        *_misjudged(card["misjudged"]),
        "## What targeting brings",
        _policies(card["policies"]),
        f"Reasons of single customers are of trees that retell the effects (R² "
        f"{model['reasons_fidelity']:.2f}).",
        *_campaigns(card["campaigns"]),
    ]
    return "\n\n".join(lines)


def _interval(figure: Mapping[str, float]) -> Interval:
    return Interval(*(float(figure[name]) for name in ("value", "low", "high")))


def _origin(card: Mapping[str, Any]) -> str:
    if card["origin"] == EXPERIMENT:
        return "From an experiment: who was treated was drawn with known chances."
    over = card["overlap"]
    return (
        f"**{card['origin']}**: who was treated was not drawn, so an unseen cause may explain all "
        f"of it. Chances of treatment by the features reach from {over['lowest']:.2f} to "
        f"{over['highest']:.2f}; {over['extreme_share']:.0%} of the customers have one below 5 % "
        f"or above 95 %; the arms differ the most in {over['furthest_feature']}."
    )


def _verdict(effect: Interval) -> str:
    if effect.low > 0:
        return "The treatment raises engagement."
    if effect.high < 0:
        return "The treatment lowers engagement."
    reach = (effect.high - effect.low) / 2
    return f"No effect is shown; one beyond {reach:.4f} either way would have been."


def _groups(groups: list[Mapping[str, Any]]) -> str:
    rows = [
        (
            group["group"],
            f"{group['rows']:,}",
            "–" if group["effect"] is None else f"{group['effect']:+.4f}",
            "–" if group["low"] is None else f"{group['low']:+.4f} to {group['high']:+.4f}",
            group["verdict"],
        )
        for group in groups
    ]
    return markdown.table(["group", "customers", "effect", "interval", "verdict"], rows)


def _harmed(harmed: list[Mapping[str, str]]) -> str:
    if not harmed:
        return "No group is harmed beyond chance; one too small to tell may be."
    listed = "\n".join(f"- {one['segment'].replace('_', ' ')}: {one['group']}" for one in harmed)
    return f"Beyond chance, and left out by the targeting policy:\n\n{listed}"


def _misjudged(groups: list[Mapping[str, Any]]) -> list[str]:
    return [
        f"**{group['segment']} {group['group']}** is misjudged: its effect is "
        f"{group['seen_less_predicted']:+.4f} off what is predicted, on {group['customers']:,} "
        "customers."
        for group in groups
    ]


def _policies(policies: list[Mapping[str, Any]]) -> str:
    rows = [
        (
            one["policy"],
            f"{one['treated']:.0%}",
            f"{one['cost_usd']:,.2f}",
            _interval(one["gain"]),
            "–" if one["policy"] == "by effect" else _interval(one["by_effect_brings_more_by"]),
        )
        for one in policies
    ]
    head = [
        "policy",
        "treated",
        "cost (USD)",
        "gain in engagement a customer of all",
        "by effect brings more by",
    ]
    return (
        f"On {policies[0]['customers']:,} customers who were not learnt from, by their doubly "
        "robust scores.\n\n" + markdown.table(head, rows)
    )


def _campaigns(campaigns: list[Mapping[str, Any]]) -> list[str]:
    lines = []
    for one in campaigns:
        lines.append(f"## {one['experiment']}: {one['origin']}")
        if "problem" in one:
            lines.append(f"No effect can be told: {one['problem']}.")
            continue
        over = one["overlap"]
        tests = [
            (
                test["name"],
                _interval(test["estimate"]),
                test["expected"],
                "passed" if test["passed"] else "**failed**",
            )
            for test in one["refutations"]
        ]
        differs = "" if over["enough"] else " **The arms hardly overlap: it cannot be told.**"
        lines += [
            f"{one['rows']:,} customers. Doubly robust with cross-fitting: "
            f"{_interval(one['effect'])}; the plain difference of the arms, "
            f"{_interval(one['naive'])}, is confounded where the two disagree.{differs}",
            f"Chances of treatment reach from {over['lowest']:.2f} to {over['highest']:.2f}, "
            f"{over['extreme_share']:.0%} are extreme; the arms differ the most in "
            f"{over['furthest_feature']} ({over['furthest_difference']:+.2f} standard deviations).",
            markdown.table(["refutation", "estimate", "expected", "result"], tests),
            "An unseen cause would explain it away if it went with treatment and outcome by a risk "
            f"ratio of {one['e_value']:.2f} ({one['e_value_of_limit']:.2f} for the interval), or "
            f"explained {one['robustness_value']:.1%} of what is left of both "
            f"({one['robustness_value_of_limit']:.1%} for the interval).",
        ]
    return lines
