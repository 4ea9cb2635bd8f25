"""Jobs: what is materialised together.

Belongs here: selections. Does not belong here: when they run (`schedules.py`).
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from engagement_assets.decisions.contact.job import delivery
from engagement_assets.decisions.specs import ALONE, DECISIONS, TRAINED
from engagement_assets.features.labels import LABELS
from engagement_assets.lifecycle.spec import UseCaseSpec
from engagement_assets.models.specs import (
    EVERY_MODEL,
    FURTHER_TABLES,
    MODELS,
    OF_NO_CUSTOMER,
    SPENDING_PRIVACY,
)
from engagement_assets.settings.deployment import Deployment, choose, deployment
from engagement_assets.settings.installation import Settings, current_home

SOURCE = dg.AssetSelection.groups("source")
TEXT_SCORES = dg.AssetSelection.assets(["sentiment", "scores"], ["sentiment", "alerts"])
SIGNALS = dg.AssetSelection.assets(
    ["sentiment", "customer"], ["network", "metrics"], ["network", "influencers"]
)
EMBEDDINGS = dg.AssetSelection.assets(["network", "embeddings"])
SPREAD = dg.AssetSelection.assets(["network", "seeds"], ["network", "spread"])
# Trained and predicted weekly, as of one day.
WEEKLY = [spec for spec in EVERY_MODEL if spec.cadence == "weekly" and spec not in ALONE]
WEEKLY_PREDICTIONS = dg.AssetSelection.assets(
    *([spec.name, part] for spec in WEEKLY for part in spec.daily_parts)
)
FEATURES = dg.AssetSelection.groups("features")
PREDICTIONS = dg.AssetSelection.assets(
    *(
        [spec.name, noun]
        for spec in (*MODELS, *OF_NO_CUSTOMER, *DECISIONS)
        for noun in spec.daily_parts
    )
)
FURTHER = dg.AssetSelection.assets(
    *(table.asset_key for table in FURTHER_TABLES), ["forecast", "report"]
)
UNIFIED = dg.AssetSelection.assets(["predictions", "customers"], ["predictions", "changes"])
GOVERNANCE = dg.AssetSelection.assets(
    ["governance", "review_queue"],
    ["governance", "fairness_measures"],
    ["governance", "consent_ledger"],
)
CONTACT = dg.AssetSelection.groups("contact")
EXPERIMENTS = dg.AssetSelection.groups("experiments")
COUNTERFACTUALS = dg.AssetSelection.groups("counterfactuals")
VALUE = dg.AssetSelection.groups("value")
FAIRNESS = dg.AssetSelection.assets(["governance", "fairness"])
AUDIT = dg.AssetSelection.assets(["governance", "cards"], ["governance", "ethics_audit"])
CATALOGUE = dg.AssetSelection.assets(["lake", "catalogue"])
PUBLISHED = dg.AssetSelection.assets(["serving", "published"])
DECIDED = UNIFIED | CONTACT | EXPERIMENTS | COUNTERFACTUALS | GOVERNANCE | CATALOGUE | PUBLISHED
PREDICTED = PREDICTIONS | FURTHER | DECIDED


def trained(specs: Iterable[UseCaseSpec]) -> dg.AssetSelection:
    """What a training of these makes."""
    return dg.AssetSelection.assets(
        *([spec.name, part] for spec in specs for part in spec.training_parts)
    )


ingest_job = dg.define_asset_job(
    "ingest", SOURCE, description="Takes days of the source in and checks them."
)
text_scores_job = dg.define_asset_job(
    "text_scores",
    TEXT_SCORES,
    description="Scores the new texts of a day, or of a range, of customers who agreed to it.",
)
signals_job = dg.define_asset_job(
    "signals",
    SIGNALS,
    description="What a day's features take from texts and from the social graph.",
)
network_insights_job = dg.define_asset_job(
    "network_insights",
    EMBEDDINGS | SPREAD | WEEKLY_PREDICTIONS,
    description="Embeddings, whom to reach, and the reach of recent posts, as of one day.",
)
value_job = dg.define_asset_job(
    "value",
    VALUE,
    description="What the programme brought and cost until one day, and the business case.",
)
features_job = dg.define_asset_job(
    "features", FEATURES, description="Makes the features of a snapshot date and checks them."
)
label_jobs = {
    label.name: dg.define_asset_job(
        f"label_{label.name}",
        dg.AssetSelection.assets(label.asset_key),
        description=f"Makes the label {label.name} of a snapshot date whose window has closed.",
    )
    for label in LABELS.values()
}
SETTINGS = Settings.load(current_home())
PROCESSES = SETTINGS.processes
# Tasks of one training run on AWS, unless the settings say otherwise: all models but the last.
TASKS_AT_ONCE = 5


def training_executor(which: Deployment, settings: Settings) -> dg.ExecutorDefinition:
    """How the steps of a training run: one after another, or so many at once.

    Args:
        which: The deployment.
        settings: Say how many at once. On two cores of one machine one after another is the
            faster (`benchmarks.parallel_training`); on AWS each step is a task of its own size, by
            its tags `ecs/cpu` and `ecs/memory`.
    """
    return choose(EXECUTORS, which)(settings)


def _processes(settings: Settings) -> dg.ExecutorDefinition:
    if settings.processes == 1:
        return dg.in_process_executor
    return dg.multiprocess_executor.configured({"max_concurrent": settings.processes})


def _tasks(settings: Settings) -> dg.ExecutorDefinition:
    from dagster_aws.ecs import ecs_executor

    tasks = settings.training_processes or TASKS_AT_ONCE
    return ecs_executor.configured({"max_concurrent": tasks})


EXECUTORS = {Deployment.LOCAL: _processes, Deployment.AWS: _tasks}


TRAINING_EXECUTOR = training_executor(deployment(), SETTINGS)
training_job = dg.define_asset_job(
    "training",
    trained(TRAINED),
    executor_def=TRAINING_EXECUTOR,
    description="Trains a candidate of every model and learnt decision, measures it, "
    "judges its fairness, and moves the champion if it passes.",
)
train_jobs = {
    spec.name: dg.define_asset_job(
        f"train_{spec.name}",
        trained([spec]),
        description=f"Trains, measures and judges {spec.name} alone.",
    )
    for spec in (*TRAINED, *SPENDING_PRIVACY)
}
fairness_overview_job = dg.define_asset_job(
    "fairness_overview",
    FAIRNESS,
    description="Puts the latest fairness reports of all models side by side; a job of its own, so "
    "that a model that fails does not stop it.",
)
ethics_audit_job = dg.define_asset_job(
    "ethics_audit",
    AUDIT,
    description="Cards of all models, policies and tables, and the ethics audit of the quarter up "
    "to one day.",
)
predictions_job = dg.define_asset_job(
    "predictions",
    PREDICTED,
    description="Predicts and explains one day with the champions, says what experiments show, and "
    "publishes it.",
)
publish_job = dg.define_asset_job(
    "publish",
    PUBLISHED,
    description="Publishes the predictions of a day to the online store, as the lake has them.",
)
DAILY = SOURCE | TEXT_SCORES | SIGNALS | FEATURES | PREDICTED
daily_job = dg.define_asset_job(
    "daily",
    DAILY,
    description="One day: ingest, signals, features, predictions, explanations, experiments, "
    "publishing, with all checks between.",
)
retraining_jobs = {
    cadence: dg.define_asset_job(
        f"{cadence}_training",
        trained(spec for spec in EVERY_MODEL if spec.cadence == cadence and spec not in ALONE),
        executor_def=TRAINING_EXECUTOR,
        description=f"Trains a candidate of every model whose cadence is {cadence}, and judges it.",
    )
    for cadence in sorted({spec.cadence for spec in EVERY_MODEL})
}
# Trials and minutes a model of the quarterly search.
TRIALS, MINUTES = 50, 30.0
TUNED = [spec for spec in EVERY_MODEL if spec.tuned]


def search_config(
    specs: Iterable[UseCaseSpec], *, trials: int = TRIALS, minutes: float = MINUTES
) -> dict[str, Any]:
    """Return the run config with which candidates are searched for."""
    config = {"trials": trials, "minutes": minutes}
    return {"ops": {f"{spec.name}__{spec.candidate}": {"config": config} for spec in specs}}


automl_job = dg.define_asset_job(
    "automl",
    trained(TUNED),
    config=search_config(TUNED),
    executor_def=TRAINING_EXECUTOR,
    description="Searches learner and hyperparameters of engagement, churn and value; what is "
    "chosen must be clearly better than the champion on a later snapshot.",
)
JOBS: list[Any] = [
    ingest_job,
    text_scores_job,
    signals_job,
    network_insights_job,
    value_job,
    features_job,
    *label_jobs.values(),
    training_job,
    *train_jobs.values(),
    fairness_overview_job,
    ethics_audit_job,
    predictions_job,
    publish_job,
    delivery,
    daily_job,
    *retraining_jobs.values(),
    automl_job,
]
