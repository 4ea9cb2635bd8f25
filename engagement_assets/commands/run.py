"""What `engagement run`, `engagement automl` and `engagement rollback` do.

Belongs here: Dagster's instance around the jobs. Does not belong here: which jobs run
(`pipeline.py`) and how the report reads (`summary.py`). It loads the definitions, so the home must
be open before it is imported.
"""

import sys
import time
from datetime import date

import dagster as dg

from engagement_assets.commands.erase import erase_returned
from engagement_assets.commands.interrupts import repeated_interrupts
from engagement_assets.commands.pipeline import make_all
from engagement_assets.commands.records import records
from engagement_assets.commands.runner import Runner
from engagement_assets.commands.summary import headline, summary, unserved_models
from engagement_assets.decisions.specs import LEARNT
from engagement_assets.deployments.resources import resources_of
from engagement_assets.lifecycle.assets import ACCEPTED, PROMOTED, REASONS, card_of
from engagement_assets.models.specs import EVERY_MODEL, MODELS
from engagement_assets.orchestration.jobs import TUNED, search_config
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import Settings
from resources.event_log import end_abandoned_runs
from resources.gate import VERSION
from resources.registry import ModelRegistry, RegistryError
from resources.standing import Acceptance


class NothingServesError(RuntimeError):
    """A run ended without a model that serves."""


def run(settings: Settings, *, retrain: bool, reingest: bool = False) -> None:
    """Make everything that is not made yet, and say what there is.

    Raises:
        ErasureError: Who was erased is there again and could not be erased again.
        JobFailedError: A job failed.
        NothingServesError: No model serves, after all that could be made.
    """
    # a run that crosses midnight goes on with the day that it began with
    settings = settings.with_values(last_day=settings.end)
    sys.stderr.write(headline(settings))
    with records() as instance:
        end_abandoned_runs(instance)
        erase_returned(settings, instance)
        resources_of(settings)["questions"].log.expire()
        runner = Runner(instance, time.monotonic())
        try:
            with repeated_interrupts():
                make_all(runner, settings, retrain=retrain, reingest=reingest)
        finally:
            resources_of(settings)["alerts"].tell(instance)
        sys.stdout.write(summary(settings, instance, seconds=time.monotonic() - runner.started))
    if len(unserved_models(settings)) == len(MODELS):
        raise NothingServesError("no model serves; the lines above say what each lacks")


def search(settings: Settings, model: str | None, *, trials: int, minutes: float) -> str:
    """Search learner and hyperparameters of one model or all that have a search.

    Returns:
        What became of each candidate, a line each.

    Raises:
        JobFailedError: A job failed.
        SettingsError: There is no such model, or it has no search.
    """
    specs = [spec for spec in TUNED if model in (None, spec.name)]
    if not specs:
        raise SettingsError(
            f"MODEL={model}: expected one of {', '.join(spec.name for spec in TUNED)}"
        )
    registry: ModelRegistry = resources_of(settings)["registry"].registry
    before = {spec.name: registry.champion(spec.name) for spec in specs}
    with records() as instance, repeated_interrupts():
        end_abandoned_runs(instance)
        runner = Runner(instance, time.monotonic())
        runner.resume()
        job = "automl" if model is None else f"train_{model}"
        runner.run(job, **search_config(specs, trials=trials, minutes=minutes))
    lines = []
    for name, old in before.items():
        now = registry.champion(name)
        lines.append(
            f"{name}: {now or 'nothing'} serves"
            + (", the tuned candidate" if now != old else " as before")
        )
    return "\n".join(lines) + "\n"


def accept(
    settings: Settings, model: str, version: str, *, reason: str, by: str, until: date
) -> Acceptance:
    """Make a refused version the champion, with who answers for it on record.

    Raises:
        RegistryError: The version was not refused, or reason, person or day are missing or wrong.
    """
    able = {
        spec.name: spec for spec in (*EVERY_MODEL, *LEARNT) if "champion" in spec.training_parts
    }
    if model not in able:
        known = ", ".join(able)
        raise RegistryError(f"there is no model {model!r}; there are {known}")
    registry: ModelRegistry = resources_of(settings)["registry"].registry
    accepted = registry.accept(model, version, reason=reason, by=by, until=until)
    card = registry.card(model, version) | {ACCEPTED: str(accepted)}
    with records() as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                [model, "champion"],
                description=str(accepted),
                metadata={
                    VERSION: version,
                    PROMOTED: True,
                    ACCEPTED: str(accepted),
                    REASONS: dg.MetadataValue.md("\n".join(f"- {t}" for t in accepted.refused)),
                    "model_card": dg.MetadataValue.md(card_of(able[model], card)),
                },
            )
        )
    return accepted


def roll_back(settings: Settings, model: str, version: str | None) -> str:
    """Go back to an earlier champion, by default the one before the present one.

    Raises:
        RegistryError: There is none to go back to.
    """
    registry = resources_of(settings)["registry"].registry
    now: str = registry.rollback(model, to=version, reason="engagement rollback")
    with records() as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                [model, "champion"],
                description="rolled back",
                metadata={"model_version": now, "promoted": False},
            )
        )
    return now
