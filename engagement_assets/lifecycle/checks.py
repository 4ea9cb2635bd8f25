"""Asset checks of a model, its fairness, its predictions and explanations, from its declaration.

Belongs here: which checks there are and their limits. Does not belong here: the measures.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import numpy as np

from engagement_assets.learning.evaluation.scores import TWENTIETHS, score_shares
from engagement_assets.lifecycle.access import inputs_of, last_day
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.gates import FAILED, NOT_JUDGED, PASSED, metric_value
from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.lifecycle.spec import ModelSpec, UseCaseSpec
from engagement_assets.source.resource import SourceResource
from resources.checks import (
    CheckedTable,
    FurtherCheck,
    Outcome,
    result,
    run_days,
    table_checks,
)
from resources.drift import PSI_LIMIT, psi, psi_by_chance
from resources.gate import QUIET, VERSION
from resources.io_managers import RegistryResource, Report
from resources.lake import Lake, MissingPartitionError
from resources.platform import EngineResource, LakeResource
from resources.registry import ModelRegistry, registered

ADDITIVITY_TOLERANCE = 1e-2
# of stored numbers, which are summed again as they were
PARTS_TOLERANCE = 1e-6
# stands in the figures and metadata of what was made without a model
NOT_TRAINED = "not_trained"
# key of the metadata of a check on a candidate
VERDICT = "verdict"
FAIRNESS = "eighty_percent_rule"
LATER = "mitigation_on_later_data"
SCORE_DRIFT = (
    "The distribution of scores is near that of the champion's test people (population stability "
    f"index at most {PSI_LIMIT})."
)


def model_checks(spec: UseCaseSpec) -> list[dg.AssetChecksDefinition]:
    """Return every check of a model or a decision."""
    checks = [_gates(spec)] if spec.training_parts else []
    if spec.daily_parts:
        checks.append(output_checks(spec))
    if isinstance(spec, ModelSpec) and "explanations" in spec.daily_parts and spec.additive:
        checks.append(_explanations(spec))
    if isinstance(spec, ModelSpec) and spec.fairness is not None and spec.fairness.mitigations:
        checks.append(_later(spec))
    return checks


def gate_specs(spec: UseCaseSpec) -> list[dg.AssetCheckSpec]:
    """Return the checks on the evaluation: on the report, so that a refused candidate has one too.

    They do not block: the champion judges the same figures itself, and a step that Dagster skips
    would stop the models that are learnt from the present champion too.
    """
    return [
        dg.AssetCheckSpec(
            gate.check,
            asset=[spec.name, "evaluation"],
            description=gate.description,
        )
        for gate in spec.gates
    ]


def fairness_spec(spec: UseCaseSpec) -> dg.AssetCheckSpec:
    """Return the check on fairness.

    The report's own step makes it, and the champion judges the same report: a blocking check of
    Dagster's would stop the reports across models too, which matter most when one fails.
    """
    rule = None if spec.fairness is None else spec.fairness.rule
    return dg.AssetCheckSpec(FAIRNESS, asset=[spec.name, "fairness"], description=rule)


def _gates(spec: UseCaseSpec) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"{spec.name}_evaluation_checks",
        specs=gate_specs(spec),
        ins={"evaluation": dg.AssetIn([spec.name, "evaluation"])},
    )
    def check(evaluation: Report) -> Iterator[dg.AssetCheckResult]:
        """Judge the candidate by its gates."""
        figures = evaluation.figures
        if NOT_TRAINED in figures:
            yield from (_nothing_to_judge(check, figures) for check in gate_specs(spec))
            return
        for gate in spec.gates:
            judgement = gate.judge(figures)
            yield dg.AssetCheckResult(
                asset_key=dg.AssetKey([spec.name, "evaluation"]),
                check_name=gate.check,
                passed=judgement.state == PASSED,
                severity=_severity(judgement.state),
                description=judgement.text,
                metadata={
                    VERSION: figures[VERSION],
                    **_verdict(judgement.state),
                    gate.metric: metric_value(figures["metrics"][gate.metric]),
                },
            )

    return check


def _nothing_to_judge(check: dg.AssetCheckSpec, figures: Mapping[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=False,
        severity=_severity(NOT_JUDGED),
        description=f"nothing to judge: {figures[NOT_TRAINED]}",
        metadata=_verdict(NOT_JUDGED),
    )


def _verdict(state: str) -> dict[str, Any]:
    """Return metadata of a verdict; too few rows to say anything are no alarm."""
    return {VERDICT: state} | ({QUIET: True} if state == NOT_JUDGED else {})


def _severity(state: str) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if state == FAILED else dg.AssetCheckSeverity.WARN


def fairness_result(spec: UseCaseSpec, figures: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Judge a candidate by the 80 % rule; where nothing could be judged, warn and say so."""
    if NOT_TRAINED in figures:
        return _nothing_to_judge(fairness_spec(spec), figures)
    report = figures["report"]
    verdict = report["verdict"]
    parts = [f"{about}: {word}" for about, word in report["verdicts"].items()]
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey([spec.name, "fairness"]),
        check_name=FAIRNESS,
        passed=verdict == "holds",
        severity=_severity(FAILED if verdict == "fails" else NOT_JUDGED),
        description="; ".join(report["failures"] or [f"the 80 % rule: {verdict}", *parts]),
        metadata={
            VERSION: figures[VERSION],
            **_verdict(verdict),
            "tests": report["tests"],
            "could_have_been_seen": dg.MetadataValue.md(
                "\n".join(f"- {text}" for text in report["power"]) or "No gap."
            ),
        },
    )


def _later(spec: ModelSpec) -> dg.AssetChecksDefinition:
    later = dg.AssetCheckSpec(
        LATER,
        asset=[spec.name, "predictions"],
        description="Where FAIRNESS_MITIGATION was applied, the newest predictions whose truth is "
        "known hold the 80 % rule by gender and age.",
    )

    @dg.multi_asset_check(name=f"{spec.name}_mitigation_checks", specs=[later])
    def check(
        source: SourceResource,
        engine: EngineResource,
        registry: RegistryResource,
        settings: ModelSettings,
    ) -> Iterator[dg.AssetCheckResult]:
        """Judge by what came later whether groups are treated alike."""
        inputs = inputs_of(spec, engine=engine, registry=registry, source=source, settings=settings)
        outcome = later_outcome(spec, inputs)
        yield result(later.key, outcome, outcome.failed_days, warn=True)

    return check


def later_outcome(spec: ModelSpec, inputs: Inputs) -> Outcome:
    """Judge the mitigation that the newest predictions had whose truth is known by now."""
    lake = inputs.engine.lake
    known = last_day(lake, None)
    for day in reversed(lake.filled_days(spec.predictions)):
        if day + timedelta(days=spec.window_days) > known:
            continue
        table = lake.read(spec.predictions, days=[day]).to_pandas()
        version = "" if table.empty else str(table["model_version"].iloc[0])
        # it may be gone, as after a restore or where it had learnt from somebody who was erased
        if version not in inputs.registry.versions(spec.name):
            continue
        model = registered(inputs.registry, spec.name, version)
        if day + timedelta(days=math.ceil(model.card.get("test_days", 0))) <= known:
            break
    else:
        return Outcome(note="no predictions are there whose truth is known")
    figures: dict[str, object] = {VERSION: model.version, "day": day.isoformat()}
    if "mitigation" not in model.card:
        return Outcome(metadata=figures, note=f"no mitigation was applied on {day}")
    if day <= date.fromisoformat(model.card["test_snapshot"]):
        return Outcome(metadata=figures, note=f"{day} is no later than what it was fitted on")
    try:
        report = spec.adapter().later_fairness(inputs, model, table, day)
    except (MissingPartitionError, NotTrainableError) as error:
        return Outcome(metadata=figures, note=f"not judged: {error}")
    figures |= {f"parity_{name}": value for name, value in report.ratios.items()}
    if not report.passes:
        return Outcome("; ".join(report.failures), [day], figures)
    return Outcome(metadata=figures, note=f"the 80 % rule on {day}: {report.verdict}")


def output_checks(spec: UseCaseSpec) -> dg.AssetChecksDefinition:
    """Return the checks on what a use case makes each day.

    A rule has no scores that could drift from its training's.
    """

    def judge(checked: CheckedTable) -> Outcome:
        registry = checked.resources.registry.registry
        return score_drift(spec, checked.lake, registry, checked.days[-1])

    drift = FurtherCheck(spec.table, "score_drift", SCORE_DRIFT, judge)
    return table_checks(
        f"{spec.name}_output_checks",
        [spec.table],
        further=[drift] if isinstance(spec, ModelSpec) else [],
        resources=["registry"],
    )


def score_drift(spec: UseCaseSpec, lake: Lake, registry: ModelRegistry, day: date) -> Outcome:
    """Judge whether a day's scores are spread as the test scores of the model that made them."""
    table = lake.read(spec.output, days=[day], columns=[spec.score, "model_version"])
    if not table.num_rows:
        champion = registry.champion(spec.name)
        if champion is None:
            return Outcome(note=f"there is no {spec.name} champion yet, so no predictions")
        return Outcome(f"there are no predictions on {day}", [day])
    version = str(table.column("model_version")[0].as_py())
    card = registry.card(spec.name, version)
    edges = card.get("score_edges", TWENTIETHS)
    now = score_shares(table.column(spec.score).to_numpy(), edges=edges)
    index = psi(card["score_shares"], now, rows=(card["test_customers"], table.num_rows))
    # bins that neither sample reaches have no say
    used = sum(bool(a or b) for a, b in zip(card["score_shares"], now, strict=True))
    limit = max(PSI_LIMIT, psi_by_chance(used, card["test_customers"], table.num_rows))
    figures = {"psi": index, "limit": limit, VERSION: version}
    if index > limit:
        return Outcome(f"scores moved since training: PSI {index:.2f}", [day], figures)
    return Outcome(metadata=figures)


def _explanations(spec: ModelSpec) -> dg.AssetChecksDefinition:
    additivity = dg.AssetCheckSpec(
        "additivity",
        asset=[spec.name, "explanations"],
        description="The stored parts of each score add up to the stored score."
        if spec.additive_parts
        else "Base value plus contributions equals the model's score, and the fast exact "
        "method was used.",
    )

    @dg.multi_asset_check(name=f"{spec.name}_explanation_checks", specs=[additivity])
    def check(
        context: dg.AssetCheckExecutionContext, lake: LakeResource
    ) -> Iterator[dg.AssetCheckResult]:
        """Check that reasons add up to the scores that they explain."""
        if spec.additive_parts:
            there = lake.lake.days(spec.predictions)
            days = run_days(context, there)
            yield result(additivity.key, parts_outcome(spec, lake.lake, days), days, warn=True)
            return
        event = context.instance.get_latest_materialization_event(additivity.asset_key)
        made = event.asset_materialization if event else None
        if made is None:
            yield dg.AssetCheckResult(passed=False, description="there are no explanations")
            return
        if "additivity_error" not in made.metadata:
            yield dg.AssetCheckResult(passed=True, description="nothing was predicted")
            return
        error = float(made.metadata["additivity_error"].value)
        fallback = made.metadata.get("fallback_reason")
        text = f"largest error {error:.1e}"
        if fallback is not None:
            text += f"; the fast method was not used: {fallback.value}"
        yield dg.AssetCheckResult(
            passed=error <= ADDITIVITY_TOLERANCE and fallback is None,
            severity=dg.AssetCheckSeverity.WARN,
            description=text,
            metadata={"additivity_error": error},
        )

    return check


def parts_outcome(spec: ModelSpec, lake: Lake, days: Sequence[date]) -> Outcome:
    """Judge whether the stored parts of each score add up to the stored score.

    A part that is null adds nothing; a score that is none never adds up.
    """
    errors = {}
    for day in days:
        columns = [spec.score, *spec.additive_parts]
        table = lake.read(spec.predictions, days=[day], columns=columns)
        if not table.num_rows:
            continue
        parts = [_floats(table.column(name)) for name in spec.additive_parts]
        total = np.nan_to_num(np.column_stack(parts)).sum(axis=1)
        errors[day] = float(np.abs(total - _floats(table.column(spec.score))).max())
    if not errors:
        return Outcome(note="nothing was predicted")
    # a NaN is never within the tolerance
    broken = [day for day, error in errors.items() if not error <= PARTS_TOLERANCE]
    figures = {"additivity_error": float(np.max(list(errors.values())))}
    if broken:
        problem = f"{', '.join(spec.additive_parts)} do not add up to {spec.score}"
        return Outcome(problem, broken, figures)
    return Outcome(metadata=figures)


def _floats(column: Any) -> np.ndarray:
    values: np.ndarray = column.to_numpy().astype(np.float64)
    return values
