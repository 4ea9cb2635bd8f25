"""A home in which every text that a page may show is hostile.

Belongs here: the texts, and tables, models, reports and alerts full of them. Does not belong here:
what is expected of a page.
"""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from engagement_assets.dashboard.reading import TABLES
from engagement_assets.dashboard.views.models import REPORTS
from engagement_assets.lifecycle.spec import UseCaseSpec
from engagement_assets_tests.serving.worlds import DAY, noon
from resources.lake import Lake
from resources.registry import ModelRegistry
from resources.tables import Column, Table

HOST = "evil.example"
TEXTS = (
    f"<script>fetch('//{HOST}')</script>",
    f"<img src=https://{HOST}/x.png onerror=alert(1)>",
    f"![x](https://{HOST}/x.png)",
    f"[free](https://{HOST}/)",
    f"https://{HOST}/a www.{HOST} me@{HOST} <https://{HOST}/b>",
    f"[evil]: https://{HOST}/c [evil][evil] [evil]",
    r"$\int$ and $$\sum$$ \\$x$",
    ":red[alarm] :material/delete: :green-badge[passed]",
    f'=HYPERLINK("https://{HOST}/d")',
    "bell \x07 \x1b[31m \x00 end",
    "\u202e99 % fo\u2066 \u200f",
    f"# head\n\n- list\n\n```\n| a | b |\n[x](https://{HOST}/e)",
    "اسم العميل",
    "x" * 10_000,
)
# as many as a group must have to be shown
ALIKE = 12
MODEL = "churn"


def customer(number: int) -> str:
    """Return the id of a customer."""
    return f"{TEXTS[number % len(TEXTS)]} {number}"


def write_home(home: Path, specs: dict[str, UseCaseSpec]) -> None:
    """Write a home."""
    lake = Lake(str(home / "lake"))
    for table in TABLES.values():
        lake.write(table, _rows(table), day=DAY)
    alerts = [{"at": text, "severity": text, "kind": text, "message": text} for text in TEXTS]
    # half a character, as JSON may hold it
    alerts.append({"message": "\ud800"})
    lines = "\n".join(json.dumps(alert) for alert in alerts)
    (home / "alerts.jsonl").write_text(lines)
    registry = ModelRegistry(home / "registry")
    files = home / "files"
    files.mkdir()
    (files / "model.json").write_text("{}")
    interval = {"value": 0.5, "low": 0.4, "high": 0.6}
    gates = specs[MODEL].gates
    measured = [*TEXTS, *(gate.metric for gate in gates)]
    by_chance = {gate.by_chance: 0.1 for gate in gates if gate.by_chance}
    metrics = dict.fromkeys(measured, interval)
    card = {"metrics": metrics, "test_customers": 1_000, **by_chance}
    version = registry.register(MODEL, files, card)
    registry.promote(MODEL, version, " ".join(TEXTS))
    registry.refuse(MODEL, version, TEXTS)
    assets = [f"{name}/{noun}" for name in specs for noun in REPORTS]
    for asset in [*assets, "governance/ethics_audit", "segments/evaluation"]:
        folder = home / "reports" / asset
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text("{}")
        (folder / "report.md").write_text("\n\n".join([*TEXTS, *(f"- `{t}`" for t in TEXTS)]))


def _rows(table: Table) -> pa.Table:
    made = [
        {column.name: _cell(column, number) for column in table.columns}
        for number in range(ALIKE * len(TEXTS))
    ]
    if table.key == "recommendation/predictions":
        made = [{**row, "items": json.dumps([*TEXTS, "\ud800"])} for row in made]
    return pa.Table.from_pylist(made, schema=table.arrow)


def _cell(column: Column, number: int) -> Any:
    if column.names_customer:
        return customer(number)
    values: dict[str, str | float | int | bool | date | datetime] = {
        "string": TEXTS[number % len(TEXTS)],
        "float64": 0.5,
        "float32": 0.5,
        "int64": ALIKE,
        "bool": True,
        "date": DAY,
        "timestamp": noon(DAY),
    }
    return values[column.type]
