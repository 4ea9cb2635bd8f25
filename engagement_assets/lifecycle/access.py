"""What the assets of every model take from Dagster's resources.

Belongs here: from resources to `Inputs`. Does not belong here: the assets themselves.
"""

from datetime import date

from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.lifecycle.spec import UseCaseSpec
from engagement_assets.source.resource import SourceResource
from resources.io_managers import RegistryResource
from resources.lake import Lake, MissingPartitionError
from resources.platform import EngineResource


def inputs_of(
    spec: UseCaseSpec,
    *,
    engine: EngineResource,
    registry: RegistryResource,
    source: SourceResource,
    settings: ModelSettings,
) -> Inputs:
    """Return what a model's adapter reads from."""
    return Inputs(
        engine=engine.engine((*KNOWN_TABLES, *spec.reads_of_others)),
        sql=engine.sql,
        registry=registry.registry,
        first_day=date.fromisoformat(source.first_day),
        parameters=settings.parameters(spec.parameters),
        threads=settings.threads,
        seed=settings.seed,
        bootstrap=settings.bootstrap,
        judging=settings.judging(spec.name),
        reader=source.reader,
        shadow_days=settings.automl_shadow_days,
        ledgers=settings.ledgers,
    )


def last_day(lake: Lake, as_of: str | None) -> date:
    """Return the last day whose data may be used.

    Raises:
        MissingPartitionError: Nothing is ingested yet.
    """
    days = lake.days("source/sessions")
    if not days:
        raise MissingPartitionError("nothing is ingested yet: run the job `ingest` first")
    return date.fromisoformat(as_of) if as_of else days[-1]
