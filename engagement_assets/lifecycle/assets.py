"""A candidate, its evaluation, fairness and champion as assets, from its declaration.

Belongs here: wrapping a model's adapter for Dagster. Does not belong here: learning, metrics and
wording (the model's folder) and the daily predictions (`daily.py`).
"""

import math
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from engagement_assets.features.checks import FEATURE_BLOCKING
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.lifecycle.access import inputs_of, last_day
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.checks import NOT_TRAINED, fairness_result, fairness_spec
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.gates import LEAST_TEST_CUSTOMERS, metric_value
from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.lifecycle.reuse import ASKED, asked
from engagement_assets.lifecycle.search import searching
from engagement_assets.lifecycle.spec import LABEL_WINDOWS, UseCaseSpec, label_windows, untrainable
from engagement_assets.source.resource import SourceResource
from resources.gate import VERSION, require_checks
from resources.io_managers import ModelPackage, NotTrained, RegistryResource, Report
from resources.lake import MissingPartitionError
from resources.platform import EngineResource
from resources.registry import RegisteredModel, registered
from resources.standing import Acceptance
from resources.tables import asset_keys

# Keys of the champion's metadata.
PROMOTED = "promoted"
REASONS = "reasons"
ACCEPTED = "accepted"
# Dagster takes no union for a type: a `RegisteredModel`, or `NotTrained` in its place
Candidate = Any


class TrainingConfig(dg.Config):
    """When to train; what to learn from is fixed by the dates."""

    as_of: str | None = Field(
        default=None,
        description="Last day whose data may be used, as an ISO date; the last ingested day when "
        "left out. Set it to train as if it were an earlier day.",
    )
    trials: int = Field(
        default=0,
        ge=0,
        description="Trials of a search of learner and hyperparameters, of models that have one; "
        "0 trains the model's own estimator.",
    )
    minutes: float = Field(default=30.0, gt=0, description="Time for the trials.")
    trial_memory_mib: int = Field(
        default=0, ge=0, description="Memory that a trial may take, in MiB; 0 for no limit."
    )


def training_assets(spec: UseCaseSpec) -> list[dg.AssetsDefinition]:
    """Return the assets that a training run makes, the candidate first."""
    makers = {
        spec.candidate: _model,
        "evaluation": _evaluation,
        "fairness": _fairness,
        "champion": _champion,
    }
    return [makers[part](spec) for part in spec.training_parts]


def _model(spec: UseCaseSpec) -> dg.AssetsDefinition:
    @dg.asset(
        **spec.asset_fields(spec.candidate),
        kinds={*spec.kinds, "python"},
        deps=asset_keys((*spec.learns_from, *spec.lineage)),
        io_manager_key="models",
        # a model is not trained twice at once; two models are, where there are cores for both
        pool=f"{spec.name}_training",
        # read by run launchers that size each step; a process on this machine takes what it needs
        op_tags={
            "ecs/cpu": str(spec.cpu_units),
            "ecs/memory": str(spec.memory_mib),
            "engagement/memory_mib": str(spec.memory_mib),
        },
    )
    def model(
        context: dg.AssetExecutionContext,
        config: TrainingConfig,
        source: SourceResource,
        engine: EngineResource,
        registry: RegistryResource,
        settings: ModelSettings,
    ) -> dg.Output[Any]:
        """Train a candidate, or say what is missing."""
        inputs = inputs_of(spec, engine=engine, registry=registry, source=source, settings=settings)
        snapshots = spec.dates(
            last_day(inputs.engine.lake, config.as_of), first_day=inputs.first_day
        )
        try:
            snapshots = _usable(context, spec, inputs, snapshots)
            if spec.reads_snapshots:
                require_checks(context.instance, FEATURE_BLOCKING, days=snapshots.all)
            from engagement_assets.lifecycle.training import (  # noqa: PLC0415 - heavy imports
                without_nan,
            )

            adapter = spec.adapter()
            if config.trials:
                inputs = searching(
                    spec,
                    inputs,
                    snapshots,
                    studies=settings.studies,
                    trials=config.trials,
                    minutes=config.minutes,
                    memory_mib=config.trial_memory_mib or None,
                )
            trained = adapter.train(inputs, snapshots)
        except (NotTrainableError, TooLittleDataError) as error:
            context.log.warning("%s was not trained: %s", spec.name, error)
            return dg.Output(NotTrained(str(error)), metadata={NOT_TRAINED: str(error)})
        except (MissingPartitionError, ValueError) as error:
            raise dg.Failure(
                f"no {spec.name} {spec.candidate} as of {snapshots.test}: {error}",
                allow_retries=False,
            ) from error
        card = without_nan(trained.card) | {
            "code_version": spec.code_version,
            "data_versions": adapter.data_versions(inputs, snapshots),
            LABEL_WINDOWS: label_windows(spec),
            LEAST_TEST_CUSTOMERS: settings.least_test_customers,
            ASKED: asked(spec, inputs, snapshots),
        }
        context.log.info("%s on %s test customers", _headline(spec, card), card["test_customers"])
        return dg.Output(ModelPackage(trained.model, card), metadata=_figures(card))

    return model


def _usable(
    context: dg.AssetExecutionContext, spec: UseCaseSpec, inputs: Inputs, wanted: Snapshots
) -> Snapshots:
    """Return the latest training snapshot, which must be there, and those earlier ones that are.

    Raises:
        NotTrainableError: A table without which it cannot be learnt has no rows, or the history is
            too short.
    """
    lake = inputs.engine.lake
    reason = untrainable(spec, lake, wanted, first_day=inputs.first_day)
    if reason is not None:
        raise NotTrainableError(reason)
    dated = [table for table in spec.learns_from if table.startswith(("features/", "labels/"))]
    if spec.at_hand:
        return _at_hand(spec, set.intersection(*(set(lake.days(t)) for t in dated)), wanted)
    latest, *earlier = wanted.train
    there = [day for day in earlier if all(lake.exists(table, day) for table in dated)]
    absent = [day.isoformat() for day in earlier if day not in there]
    if absent:
        context.log.warning(
            "not learnt from, for want of features or labels: %s; materialise them for a model "
            "that has seen more",
            ", ".join(absent),
        )
    return Snapshots((latest, *there), wanted.test)


def _at_hand(spec: UseCaseSpec, there: set[date], wanted: Snapshots) -> Snapshots:
    """Return the latest snapshot that is there, and the latest whose labels were known by then.

    Raises:
        NotTrainableError: There are no two.
    """
    tests = sorted(day for day in there if day <= wanted.test)
    if spec.every_snapshot and tests:
        return Snapshots(tuple(reversed(tests)), tests[-1])
    window = timedelta(days=spec.window_days)
    earlier = [day for day in tests if tests[-1] - day >= window]
    if not earlier:
        raise NotTrainableError(
            f"it needs features and labels of two snapshots {spec.window_days} days apart; there "
            f"are {len(tests)}: run the jobs `signals`, `features` and `label_…` for them"
        )
    return Snapshots((earlier[-1],), tests[-1])


def _headline(spec: UseCaseSpec, card: dict[str, Any]) -> str:
    gate = spec.gates[0]
    return f"{gate.words} {metric_value(card['metrics'][gate.metric]):.4f}"


def _figures(card: dict[str, Any]) -> dict[str, Any]:
    """Gather metadata of a version: metrics, thresholds, who was learnt from and scored."""
    values = {name: metric_value(metric) for name, metric in card["metrics"].items()}
    shown: dict[str, Any] = {name: value for name, value in values.items() if math.isfinite(value)}
    if "threshold" in card.get("thresholds", {}):
        shown["threshold"] = card["thresholds"]["threshold"]
    shown["training_snapshots"] = ", ".join(card["training_snapshots"])
    for name in ("test_snapshot", "training_customers", "training_rows", "test_customers"):
        if name in card:
            shown[name] = card[name]
    return {name: value for name, value in shown.items() if value is not None}


def _evaluation(spec: UseCaseSpec) -> dg.AssetsDefinition:
    @dg.asset(
        **spec.asset_fields("evaluation"),
        kinds={"report"},
        io_manager_key="reports",
        ins={"model": dg.AssetIn([spec.name, spec.candidate])},
    )
    def evaluation(model: Candidate) -> dg.Output[Report]:
        """Report the candidate's quality."""
        if isinstance(model, NotTrained):
            return _not_trained(model)
        not_figures = {"features", "files", "registered_at", "data_versions", "name", "version"}
        figures = {name: value for name, value in model.card.items() if name not in not_figures}
        text = spec.adapter().evaluation_markdown(model.card)
        return dg.Output(
            Report(figures | {VERSION: model.version}, text),
            metadata=_figures(model.card) | {VERSION: model.version},
        )

    return evaluation


def _fairness(spec: UseCaseSpec) -> dg.AssetsDefinition:
    @dg.asset(
        **spec.asset_fields("fairness"),
        kinds={"report"},
        io_manager_key="reports",
        ins={"model": dg.AssetIn([spec.name, spec.candidate])},
        check_specs=[fairness_spec(spec)],
    )
    def fairness(
        model: Candidate,
        source: SourceResource,
        engine: EngineResource,
        registry: RegistryResource,
        settings: ModelSettings,
    ) -> Iterator[Any]:
        """Report the candidate's fairness on test people, and judge it."""
        if isinstance(model, NotTrained):
            yield _not_trained(model)
            yield fairness_result(spec, {NOT_TRAINED: model.reason})
            return
        inputs = inputs_of(spec, engine=engine, registry=registry, source=source, settings=settings)
        assessed = spec.adapter().assess(inputs, model)
        if spec.fairness is not None:
            assessed = assessed.worded(spec.fairness.words, spec.fairness.selected_are)
        figures = assessed.to_dict() | {VERSION: model.version}
        # of models whose truth is known later; the others have one reference each
        reference = settings.fairness_reference.get(spec.name)
        due = {} if reference is None else {"a_group_is_due": reference}
        yield dg.Output(
            Report(figures, assessed.to_markdown()),
            metadata={
                **{f"parity_{name}": value for name, value in assessed.report.ratios.items()},
                "verdict": assessed.report.verdict,
                "tests": assessed.report.tests,
                "failures": len(assessed.report.failures),
                **due,
                VERSION: model.version,
            },
        )
        yield fairness_result(spec, figures)

    return fairness


def _not_trained(model: NotTrained) -> dg.Output[Report]:
    """Return a report that says why there is nothing to report on."""
    return dg.Output(
        Report({NOT_TRAINED: model.reason}, f"Not trained: {model.reason}."),
        metadata={NOT_TRAINED: model.reason},
    )


def _champion(spec: UseCaseSpec) -> dg.AssetsDefinition:
    @dg.asset(
        **spec.asset_fields("champion"),
        kinds=set(spec.kinds),
        ins={
            "model" if noun == spec.candidate else noun: dg.AssetIn([spec.name, noun])
            for noun in spec.training_parts
            if noun != "champion"
        },
    )
    def champion(
        context: dg.AssetExecutionContext,
        model: Candidate,
        source: SourceResource,
        engine: EngineResource,
        registry: RegistryResource,
        settings: ModelSettings,
        **reports: Report,
    ) -> dg.MaterializeResult:
        """Promote the candidate, or keep the champion and say why."""
        from engagement_assets.lifecycle.promotion import (  # noqa: PLC0415 - heavy imports
            promote_or_keep,
        )

        store = registry.registry
        present = store.champion(spec.name)
        if isinstance(model, NotTrained):
            return dg.MaterializeResult(
                metadata={NOT_TRAINED: model.reason},
                data_version=dg.DataVersion(present or "none"),
            )
        for noun, report in reports.items():
            if report.figures[VERSION] != model.version:
                raise dg.Failure(
                    f"{spec.name}/{noun} is about version {report.figures[VERSION]}, not the "
                    f"candidate {model.version}: materialise it again",
                    allow_retries=False,
                )
        fairness = reports.get("fairness")
        verdict = promote_or_keep(
            spec,
            inputs_of(spec, engine=engine, registry=registry, source=source, settings=settings),
            store,
            candidate=model,
            champion=None if present is None else registered(store, spec.name, present),
            fairness=None if fairness is None else fairness.figures["report"],
        )
        if not verdict.promote:
            # no failure: it would stop the models that are learnt from the present champion; the
            # result says it, to people in the UI and to `make run`, which says it in one line
            context.log.debug("the candidate is refused: %s", "; ".join(verdict.reasons))
        version = store.champion(spec.name)
        card = None if version is None else store.card(spec.name, version)
        accepted = None if version is None else store.acceptance(spec.name, version)
        return _verdict_result(spec, card, verdict, model, fairness, accepted)

    return champion


def _verdict_result(
    spec: UseCaseSpec,
    card: dict[str, Any] | None,
    verdict: Any,
    candidate: RegisteredModel,
    fairness: Report | None,
    accepted: Acceptance | None,
) -> dg.MaterializeResult:
    """Report the verdict on the candidate, and the card of the model that serves, if any."""
    judged: dict[str, Any] = {
        PROMOTED: verdict.promote,
        REASONS: dg.MetadataValue.md(_listed(verdict.reasons)),
        "candidate": candidate.version,
    }
    if verdict.not_judged:
        judged["not_judged"] = dg.MetadataValue.md(_listed(verdict.not_judged))
    if card is None:
        return dg.MaterializeResult(metadata=judged, data_version=dg.DataVersion("none"))
    version = card["version"]
    gate = spec.gates[0]
    # the report is about the candidate, which the champion may not be
    about = {}
    if fairness is not None and candidate.version == version:
        about = {"fairness": fairness.figures["report"]}
    if accepted is not None:
        about[ACCEPTED] = judged[ACCEPTED] = str(accepted)
    return dg.MaterializeResult(
        metadata={
            **judged,
            VERSION: version,
            gate.metric: metric_value(card["metrics"][gate.metric]),
            "model_card": dg.MetadataValue.md(card_of(spec, card | about)),
        },
        data_version=dg.DataVersion(version),
    )


def card_of(spec: UseCaseSpec, card: dict[str, Any]) -> str:
    """Write the card of a model's version as Markdown."""
    from engagement_assets.lifecycle.card import model_card  # noqa: PLC0415 - only here

    return model_card(
        card | {"judged": [vars(gate.judge(card)) for gate in spec.gates]},
        purpose=spec.purpose,
        limits=spec.limits,
        rollback=f"`make rollback MODEL={spec.name}` goes back to the champion before this one.",
    )


def _listed(texts: list[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)
