"""Candidate against champion on the same test rows, and what follows.

Belongs here: asking the rule and moving the champion. Does not belong here: the rule
(`models.champion`) and measuring (the model's adapter).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.champion import Verdict, judge
from engagement_assets.lifecycle.gates import FAILED, PASSED, Judgement
from engagement_assets.lifecycle.reports import TUNING
from engagement_assets.lifecycle.spec import UseCaseSpec
from resources.registry import ModelRegistry, RegisteredModel


def promote_or_keep(
    spec: UseCaseSpec,
    inputs: Inputs,
    registry: ModelRegistry,
    *,
    candidate: RegisteredModel,
    champion: RegisteredModel | None,
    fairness: Mapping[str, Any] | None,
) -> Verdict:
    """Judge a candidate on its test rows and promote it if it deserves to serve.

    A refusal stands in the registry's audit. A version that its owner took on record is no longer
    refused. `fairness` is the candidate's report as data; None for a model without one.
    """
    lead = challenge = None
    if champion is not None:
        adapter = spec.adapter()
        lead = adapter.champion_advantage(inputs, champion, candidate)
        if TUNING in candidate.card and candidate.version != champion.version:
            # the best of many trials is good by chance too: a draw is not enough
            judged = adapter.challenge(inputs, champion, candidate)
            challenge = Judgement(PASSED if judged.passes else FAILED, str(judged))
    accepted = registry.acceptance(spec.name, candidate.version)
    verdict = judge(
        candidate.card,
        gates=spec.gates,
        champion_advantage=lead,
        comparison_metric=spec.comparison_metric,
        fairness=fairness,
        challenge=challenge,
    )
    if not verdict.promote and accepted is not None and accepted.stands(date.today()):
        verdict = Verdict(promote=True, reasons=[str(accepted), *verdict.reasons])
    if not verdict.promote:
        registry.refuse(spec.name, candidate.version, verdict.reasons)
    elif challenge is not None and inputs.shadow_days and accepted is None:
        registry.begin_shadow(
            spec.name,
            candidate.version,
            verdict.reasons,
            after=inputs.engine.lake.days("source/sessions")[-1],
            days=inputs.shadow_days,
        )
        return Verdict(
            promote=False,
            reasons=[f"first {inputs.shadow_days} days beside the champion", *verdict.reasons],
            not_judged=verdict.not_judged,
        )
    if verdict.promote:
        registry.promote(spec.name, candidate.version, "; ".join(verdict.reasons))
    return verdict
