"""The store, models and keys of the installation that the environment names.

Belongs here: from the platform's settings and resources to what the application needs. Does not
belong here: the application (`app.py`) and the resources themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from engagement_assets.chat.opening import Assistants
from engagement_assets.decisions.contact.job import present_of
from engagement_assets.decisions.counterfactuals.advice import AdviceDesk
from engagement_assets.decisions.specs import DECISIONS, LEARNT
from engagement_assets.deployments.resources import PLATFORMS, resources_of
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.governance.review import desk_of
from engagement_assets.lifecycle.access import inputs_of
from engagement_assets.lifecycle.scored import scored_model
from engagement_assets.models.specs import MODELS
from engagement_assets.serving.api.app import Installation
from engagement_assets.serving.api.contact import CONTACT_SECONDS
from engagement_assets.serving.api.lake_reader import LakeReader
from engagement_assets.serving.api.recent import Recent
from engagement_assets.serving.api.service import CustomerService, Refusals
from engagement_assets.serving.api.texts import CONSENT_SECONDS
from engagement_assets.serving.next_action import DrawFile, DrawLog, log_line
from engagement_assets.serving.plain import plain
from engagement_assets.serving.publishing import COLD_START, PURPOSE
from engagement_assets.serving.records import EXPLAINED
from engagement_assets.serving.scoring import Scorer
from engagement_assets.settings.api import ApiSettings
from engagement_assets.settings.chat import ChatSettings
from engagement_assets.settings.deployment import Deployment, choose
from engagement_assets.settings.installation import Settings, current_home
from engagement_assets.signals.sentiment.events import LEASE_SECONDS, TextEvents
from engagement_assets.signals.sentiment.scoring import PURPOSE as SENTIMENT
from resources.online_store.releases import Release
from resources.online_store.store import OnlineStore
from resources.registry import ModelRegistry

DRAWS_FILE = "next_actions.jsonl"
# Who withdrew a consent is looked up again after so long.
REFUSAL_SECONDS = 5.0


# A file of the home, or the log of the container, which CloudWatch keeps.
DRAW_LOGS: Mapping[Deployment, Callable[[Settings], DrawLog]] = {
    Deployment.LOCAL: lambda home: DrawFile(home.home / DRAWS_FILE),
    Deployment.AWS: lambda _: log_line,
}


def installation_from_environ(settings: ApiSettings) -> Installation:
    """What the application needs, of the home and deployment that the environment names."""
    home = Settings.load(current_home())
    resources = resources_of(home)
    registry = resources["registry"].registry
    load_scorer = partial(Scorer.load, registry, resources["settings"])

    def open_service() -> CustomerService:
        return CustomerService(
            store=resources["online_store"].store,
            scorer=load_scorer(None),
            reader=lake_reader(resources) if settings.lake else None,
            read_references=read_references,
            read_held_out=partial(held_out, resources) if settings.lake else None,
            log_draw=choose(DRAW_LOGS)(home),
            read_refusals=Recent(partial(refusals, resources), REFUSAL_SECONDS)
            if settings.lake
            else None,
        )

    return Installation(
        open_service=open_service,
        champions=lambda: {
            spec.name: registry.champion(spec.name)
            for spec in (*MODELS, *(spec for spec in LEARNT if spec.online))
        },
        load_scorer=load_scorer,
        keys=choose(PLATFORMS).api_keys(home, settings),
        sentiment=partial(score_texts, resources["sentiment"], registry),
        contact=Recent(partial(present_of, resources), CONTACT_SECONDS) if settings.lake else None,
        texts=text_events(resources) if settings.lake else None,
        reviews=desk_of(resources) if settings.lake else None,
        advice=advice_desk(resources) if settings.lake else None,
        ask=Assistants.of(resources, ChatSettings()) if settings.lake else None,
    )


def advice_desk(resources: Mapping[str, Any]) -> AdviceDesk:
    """Advice of single customers, by the champions and the lake of now."""
    return AdviceDesk(
        lambda spec: inputs_of(
            spec,
            **{name: resources[name] for name in ("engine", "registry", "source", "settings")},
        ),
        resources["lake"].lake,
        resources["registry"].registry,
    )


def text_events(resources: Mapping[str, Any]) -> TextEvents:
    """Scores texts as they are written, by the consents that the lake knows."""
    registry, sentiment = resources["registry"].registry, resources["sentiment"]

    def agreed() -> frozenset[str]:
        consent = resources["source"].consent(resources["lake"].lake, purpose=SENTIMENT)
        engine = resources["engine"]
        rows = engine.engine(KNOWN_TABLES).select(
            engine.sql.query("sentiment/agreed"),
            {
                "latest_day": consent.latest_day,
                "granted_by_source": consent.granted_by_source,
                "purpose": SENTIMENT,
            },
        )
        return frozenset(rows.column("customer_id").to_pylist())

    return TextEvents(
        scorer=partial(sentiment.model, registry),
        agreed=Recent(agreed, CONSENT_SECONDS),
        claims=resources["delivery"].claims(LEASE_SECONDS),
        tell=resources["alerts"].tell_now,
        alert_below=sentiment.alert_below,
    )


def lake_reader(resources: Mapping[str, Any]) -> LakeReader:
    """Looks customers up in the lake of the installation."""
    engine = resources["engine"]
    lake = resources["lake"].lake
    return LakeReader(
        engine.engine(KNOWN_TABLES),
        engine.sql,
        consent=lambda: resources["source"].consent(lake, purpose=PURPOSE),
    )


def refusals(resources: Mapping[str, Any]) -> Refusals:
    """Who refuses analytics or personalisation, by all that the lake holds now."""
    engine = resources["engine"]
    consent = resources["source"].consent(resources["lake"].lake, purpose=PURPOSE)
    rows = engine.engine(KNOWN_TABLES).select(
        engine.sql.query("serving/refusals"),
        {"purpose": PURPOSE, "latest_day": consent.latest_day},
    )
    by_purpose = rows.to_pandas().groupby("purpose")["customer_id"].agg(frozenset).to_dict()
    return Refusals(by_purpose.get("analytics", frozenset()), by_purpose.get(PURPOSE, frozenset()))


def held_out(resources: Mapping[str, Any]) -> frozenset[str]:
    """Customers of the global holdout, to whom nothing is suggested."""
    engine, lake = resources["engine"], resources["lake"].lake
    days = lake.days("source/sessions")
    if not days:
        return frozenset()
    rows = engine.engine(KNOWN_TABLES).select(
        engine.sql.query("contact/held_out"),
        {"holdout": resources["contact"].holdout_experiment, "latest_day": days[-1]},
    )
    return frozenset(rows.column("customer_id").to_pylist())


def read_references(store: OnlineStore, release: Release) -> tuple[dict[str, Any], dict[str, Any]]:
    """What depends on all customers of a release, by model, and its lists for somebody unknown."""
    readers: dict[str, Callable[[bytes], Any]] = {
        spec.name: scored_model(spec).read_reference for spec in EXPLAINED if spec.placed_by_day
    }
    readers |= {spec.name: spec.rule().read_reference for spec in DECISIONS if not spec.learnt}
    blobs = {name: store.blob(release.name, name) for name in readers}
    cold_start = store.blob(release.name, COLD_START)
    return (
        {name: readers[name](content) for name, content in blobs.items() if content is not None},
        {} if cold_start is None else orjson.loads(cold_start),
    )


def score_texts(
    sentiment: Any, registry: ModelRegistry, texts: Sequence[str]
) -> tuple[list[dict[str, Any]], str]:
    """The sentiment of texts, and the version of the model, which is loaded with the first call."""
    model = sentiment.model(registry)
    rows = model.score_texts(texts).to_dict("records")
    return [{name: plain(value) for name, value in row.items()} for row in rows], model.version
