"""No name of others does anything in a report but be seen, in Dagster's UI as on a page."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning import markdown
from engagement_assets.learning.escaping import guarded
from engagement_assets.learning.experiments.analysis import Design, Metric, analyse
from engagement_assets.learning.experiments.rendering import analysis_markdown
from engagement_assets.learning.fairness.measures import selection_fairness
from engagement_assets.learning.fairness.rendering import report_markdown
from engagement_assets.lifecycle.card import model_card
from engagement_assets.source.profile import Profile
from engagement_assets_tests.dashboard.hostile import HOST, TEXTS
from engagement_assets_tests.dashboard.test_hostile_names import ACTIVE

INTERVAL = {"value": 0.5, "low": 0.4, "high": 0.6}


def card() -> str:
    return model_card(
        {
            "name": "churn",
            "version": "1",
            "features": list(TEXTS),
            "metrics": dict.fromkeys(TEXTS, INTERVAL),
            "thresholds": {text: text for text in TEXTS},
            "fairness": {"verdict": "passes", "failures": list(TEXTS), "notes": list(TEXTS)},
            "explanation": {"method": " ".join(TEXTS)},
            # who answers for it, and why
            "accepted": " ".join(TEXTS),
        },
        purpose="To see who may leave.",
        limits=[],
        rollback="None.",
    )


def experiment() -> str:
    names = [TEXTS[2], TEXTS[4]]
    rng = np.random.default_rng(0)
    units = pd.DataFrame(
        {
            "unit": [f"{TEXTS[0]} {n}" for n in range(400)],
            "variant": rng.choice(names, 400),
            "assigned_at": pd.Timestamp("2026-03-01"),
            "visits": rng.poisson(3.0, 400),
        }
    )
    design = Design(name=TEXTS[3], shares=dict.fromkeys(names, 0.5), control=names[0])
    metric = Metric(name=TEXTS[5], value="visits", since="assigned_at", role="primary")
    return analysis_markdown(
        analyse(units, design, [metric]), tested=" ".join(TEXTS), notes=list(TEXTS)
    )


def fairness() -> str:
    rng = np.random.default_rng(0)
    groups = pd.DataFrame({"gender": np.repeat(TEXTS, 60)})
    chosen = rng.random(len(groups)) < np.linspace(0.1, 0.9, len(groups))
    report = selection_fairness(
        (rng.random(len(groups)) < 0.5).astype(int),
        chosen,
        groups,
        attributes=["gender"],
        min_group_size=20,
        n_bootstrap=20,
    )
    return report_markdown(report)


def source() -> str:
    return Profile(
        rows={TEXTS[0]: 1},
        quarantined={("sessions", text): 2 for text in TEXTS},
        customers=1,
        versions_per_customer=1.0,
        first=date(2026, 3, 1),
        last=date(2026, 3, 2),
        days_with_sessions=2,
        longest_gap=None,
        inactive_share=0.0,
        median_session_seconds=None,
        twin_share=0.0,
        days_only_share=0.0,
        hours={8: 1},
        timezone=TEXTS[4],
        categories=dict.fromkeys(TEXTS, 3),
        warnings=TEXTS,
    ).to_markdown()


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_text_in_a_sentence_is_nothing_but_text(text: str) -> None:
    shown = markdown.inline(text)
    assert not ACTIVE.search(shown)
    assert "\n" not in shown
    assert guarded(shown) == shown


@pytest.mark.parametrize(
    "report", [card, experiment, fairness, source], ids=lambda one: one.__name__
)
def test_a_report_of_hostile_names_is_nothing_but_text(report) -> None:
    text = report()
    assert HOST in text
    assert not ACTIVE.search(text), ACTIVE.search(text)
    # a page of the dashboard shows it as the UI does
    assert guarded(text).replace("\u2060", "") == text.replace("\u2060", "")
    assert not ACTIVE.search(guarded(text))
