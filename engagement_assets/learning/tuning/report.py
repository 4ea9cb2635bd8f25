"""A search as Markdown: what was tried, the front, what was chosen, and pictures of it.

Belongs here: wording and pictures of finished figures. Does not belong here: the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engagement_assets.learning import markdown
from engagement_assets.learning.evaluation.plots import GREY, INK, as_markdown, new_figure
from engagement_assets.learning.tuning.choice import RULE
from engagement_assets.learning.tuning.problem import BINARY
from engagement_assets.learning.tuning.search import COMPLETE, FAILED, PRUNED

_SHOWN = 10
_COLOURS = {"xgboost": "#2b6cb0", "lightgbm": "#2f855a", "catboost": "#c05621", "net": "#6b46c1"}


def tuning_markdown(tuning: Mapping[str, Any]) -> str:
    """Return a search as a section, from `TunedEstimator.tuning`."""
    trials = tuning["trials"]
    counts = {
        word: sum(1 for trial in trials if trial["state"] == word)
        for word in (COMPLETE, PRUNED, FAILED)
    }
    loss = "log loss (nats)" if tuning["kind"] == BINARY else "mean squared error"
    lines = [
        "### Search",
        f"{len(trials)} of {tuning['asked']} trials: "
        + ", ".join(f"{count} {word}" for word, count in counts.items())
        + f"; {tuning['folds']} folds, the same for all; {tuning['searched_rows']:,} rows a trial. "
        f"Losses are the out-of-fold {loss}: the choice was made by them, so they flatter it.",
        _history(trials, loss),
        *_failures(trials),
        "### Choice",
        f"**{tuning['choice']}**: {RULE.format(limit=tuning['fairness_limit'])}.",
        _candidates(tuning),
        *_front(tuning, loss),
        _members(tuning),
    ]
    return "\n\n".join(lines)


def _failures(trials: list[Mapping[str, Any]]) -> list[str]:
    failed = [trial for trial in trials if trial["state"] == FAILED]
    if not failed:
        return []
    return [
        "Failed: "
        + "; ".join(
            markdown.inline(f"trial {one['number']} ({one['family']}): {one['reason']}")
            for one in failed
        )
        + "."
    ]


def _candidates(tuning: Mapping[str, Any]) -> str:
    made = tuning["candidates"]
    chosen = [one for one in made if one["on_front"] or one["name"] == tuning["choice"]]
    shown = made[:_SHOWN] + [one for one in chosen if one not in made[:_SHOWN]]
    rows = [
        (
            one["name"],
            f"{one['loss']:.5g}",
            "unknown" if one["unfairness"] is None else f"{one['unfairness']:.1%}",
            "yes" if one["on_front"] else "no",
        )
        for one in shown
    ]
    align = [markdown.LEFT, markdown.RIGHT, markdown.RIGHT, markdown.LEFT]
    head = ["candidate", "out-of-fold loss", "worst group lacks", "on the front"]
    return markdown.table(head, rows, align=align)


def _members(tuning: Mapping[str, Any]) -> str:
    rows = [
        (
            one["family"],
            f"{one['weight']:.0%}",
            ", ".join(
                f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in one["parameters"].items()
            ),
        )
        for one in tuning["members"]
    ]
    return markdown.table(["learner", "share", "parameters"], rows)


def _history(trials: list[Mapping[str, Any]], loss: str) -> str:
    title = "Trials"
    figure, axes = new_figure(6.4, 3.4, title)
    ended = [trial for trial in trials if trial["state"] == COMPLETE]
    for name in dict.fromkeys(trial["family"] for trial in ended):
        own = [trial for trial in ended if trial["family"] == name]
        axes.plot(
            [trial["number"] for trial in own],
            [trial["loss"] for trial in own],
            marker="o",
            linestyle="none",
            color=_COLOURS.get(name, GREY),
            label=name,
        )
    best = float("inf")
    steps = [(trial["number"], best := min(best, trial["loss"])) for trial in ended]
    axes.step(*zip(*steps, strict=True), where="post", color=INK, label="best so far")
    axes.set(xlabel="trial", ylabel=loss)
    axes.legend(frameon=False, fontsize=8)
    return as_markdown(figure, title)


def _front(tuning: Mapping[str, Any], loss: str) -> list[str]:
    made = [one for one in tuning["candidates"] if one["unfairness"] is not None]
    if not made:
        return []
    title = "Quality and fairness"
    figure, axes = new_figure(5.6, 3.6, title)
    for on_front, colour, label in ((False, GREY, "beaten in both"), (True, INK, "on the front")):
        own = [one for one in made if one["on_front"] is on_front]
        axes.plot(
            [one["loss"] for one in own],
            [100 * one["unfairness"] for one in own],
            marker="o",
            linestyle="none",
            color=colour,
            label=label,
        )
    axes.axhline(100 * tuning["fairness_limit"], color=GREY, linestyle="--", label="limit")
    axes.set(xlabel=loss, ylabel="worst group lacks (%)")
    axes.legend(frameon=False, fontsize=8)
    return [as_markdown(figure, title)]
