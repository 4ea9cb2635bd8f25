"""Take the dummy decision through the platform and print what became of it, as JSON.

A process of its own, since definitions, tables and API are made from the lists when they load.
"""

import json
import sys
from datetime import date, timedelta

from engagement_assets.decisions import specs
from engagement_assets_tests.decisions.dummy.spec import SPEC

# the one line beside its folder
specs.DECISIONS = (*specs.DECISIONS, SPEC)

import dagster as dg  # noqa: E402 - after the line

from engagement_assets.decisions.customers import unified  # noqa: E402 - as dagster
from engagement_assets.definitions import defs  # noqa: E402 - as dagster
from engagement_assets.lifecycle.choices import choices_of  # noqa: E402 - as dagster
from engagement_assets.lifecycle.predictor import Predictions  # noqa: E402 - as dagster
from engagement_assets.serving.api.schemas import CustomerAnswer  # noqa: E402 - as dagster
from engagement_assets.serving.records import DayTables, documents  # noqa: E402 - as dagster
from engagement_assets.serving.scoring import Scorer  # noqa: E402 - as dagster
from engagement_assets_tests.decisions.tables import (  # noqa: E402 - as dagster
    engine_of,
    write_people,
    write_predictions,
)
from resources.lake import Lake  # noqa: E402 - as dagster

DAY = date(2026, 2, 10)
KEY = dg.AssetKey(SPEC.choices.split("/"))
SCORES = {DAY - timedelta(days=1): (0.9, 0.6), DAY: (0.9, 0.1)}


def main(folder: str) -> None:
    """Print the report."""
    lake = Lake(folder)
    policy = SPEC.rule()({})
    for day, scores in SCORES.items():
        write_people(lake, day, "ann", "bob")
        rows = [
            {"customer_id": name, "engagement_score": score}
            for name, score in zip(("ann", "bob"), scores, strict=True)
        ]
        write_predictions(lake, "engagement", day, rows)
        chosen = choices_of(SPEC, policy, lake, day).to_dict("records")
        write_predictions(lake, SPEC.name, day, chosen)
        _land(lake, unified.CUSTOMERS_TABLE, unified.customers_query(), {"snapshot_date": day}, day)
    changed = unified.changes_query(), unified.changes_parameters(DAY)
    _land(lake, unified.CHANGES_TABLE, *changed, DAY)
    graph = defs.resolve_asset_graph()
    tables = DayTables.read(lake, DAY)
    online = Scorer(
        {"engagement": lambda rows, _: Predictions(rows[["customer_id", "engagement_score"]])},
        {SPEC.name: policy},
        {},
    ).score(lake.read("engagement/predictions", days=[DAY]).to_pandas(), {})
    report = {
        "asset": KEY in graph.get_all_asset_keys(),
        "feeds_unified": KEY in graph.get(dg.AssetKey(["predictions", "customers"])).parent_keys,
        "checks": sorted(key.name for key in graph.asset_check_keys if key.asset_key == KEY),
        "jobs": sorted(
            job.name
            for job in defs.resolve_all_job_defs()
            if not job.name.startswith("__") and KEY in job.asset_layer.selected_asset_keys
        ),
        "unified": _rows(lake, unified.CUSTOMERS),
        "changes": _rows(lake, unified.CHANGES),
        "documents": {
            one["customer_id"]: [one["decisions"][SPEC.name], one["actions_due"]]
            for batch in documents(tables, frozenset(), size=10)
            for one in batch
        },
        "online": [one.decisions[SPEC.name] for one in online],
        "api": CustomerAnswer.model_json_schema()["$defs"]["HelloChoices"]["properties"],
    }
    print(json.dumps(report, default=str))  # noqa: T201 - its output


def _land(lake, table, query, parameters, day):
    engine_of(lake).land(query, parameters, into=table, day=day)


def _rows(lake, table):
    return {row["customer_id"]: row for row in lake.read(table, days=[DAY]).to_pylist()}


if __name__ == "__main__":
    main(sys.argv[1])
