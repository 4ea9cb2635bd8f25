"""The unified tables: every use case's columns side by side, and what moved, from their specs.

Belongs here: names, columns and SQL of both tables. Does not belong here: which columns a use case
has in them (`unified` of its spec).
"""

from collections.abc import Iterator
from datetime import date, timedelta

from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.features.catalogue import KEY_COLUMNS, OWNER
from engagement_assets.features.tables import KNOWN_TABLES as BELOW
from engagement_assets.lifecycle.spec import NO_ACTION, REASONS, REASONS_TEXT, Unified, UseCaseSpec
from engagement_assets.models.specs import EVERY_MODEL, FURTHER_TABLES, MODELS
from resources.sql import ParameterValue, Query
from resources.tables import Column, Table

CUSTOMERS = "predictions/customers"
CHANGES = "predictions/changes"
USE_CASES: tuple[UseCaseSpec, ...] = (*MODELS, *DECISIONS)
# Standing for no value where two days are compared: another value is news, null or not.
_NOTHING = {"bool": "FALSE", "string": "''"}


def _columns() -> Iterator[tuple[UseCaseSpec, Unified, Column]]:
    """Every unified column: whose it is, how it is declared, and what it is."""
    for spec in USE_CASES:
        for unified in spec.unified:
            if unified.column == REASONS_TEXT:
                kind, text = "string", f"Why: the strongest reasons of {spec.subject}"
            else:
                own = next(
                    column for column in spec.output_columns if column.name == unified.column
                )
                kind, text = own.type, own.text
            yield spec, unified, Column(unified.unified_name, kind, meaning=text)


def _customers_table() -> Table:
    versions = (
        Column(f"{spec.name}_version", "string", meaning=f"Version of {spec.name}, or null")
        for spec in USE_CASES
    )
    due = Column("actions_due", "string", "What the product's rules ask for")
    return Table(
        CUSTOMERS,
        (*KEY_COLUMNS, *(column for _, _, column in _columns()), due, *versions),
        description="Everything that the models say of a customer, one row a customer: scores, "
        "bands, quantiles, reasons, recommended posts, actions due, model versions.",
        unique=("customer_id",),
        owner=OWNER,
        steady=True,
    )


def _changes_table() -> Table:
    changes, values = [], []
    for _, unified, column in _columns():
        name, text = column.name, column.text
        if unified.change is not None:
            changes.append(Column(unified.change, "float64", meaning=f"Change: {text}"))
        if unified.compared:
            always = column.type == "bool"
            values += [
                Column(f"{name}_{when}", column.type, nullable=not always, meaning=f"{day}: {text}")
                for when, day in (("before", "Yesterday"), ("now", "Today"))
            ]
    why = Column("why", "string", meaning="A new model, or what changed", nullable=False)
    return Table(
        CHANGES,
        (*KEY_COLUMNS, *changes, *values, why),
        description="What moved since the day before and why: customers of whom a score moved by "
        "its least change or more, or whose band or review changed.",
        unique=("customer_id",),
        owner=OWNER,
    )


CUSTOMERS_TABLE = _customers_table()
CHANGES_TABLE = _changes_table()
KNOWN_TABLES: tuple[Table, ...] = (
    *BELOW,
    *(spec.table for spec in (*EVERY_MODEL, *DECISIONS) if spec.daily_parts),
    *FURTHER_TABLES,
    CUSTOMERS_TABLE,
    CHANGES_TABLE,
)


def _reasons(table: str) -> str:
    one = "{0}_feature || ' ' || {0}_value || ' (typical ' || {0}_typical || ')'"
    texts = ", ".join(one.format(f"{table}.reason_{n}") for n in range(1, REASONS + 1))
    return f"CONCAT_WS('; ', {texts})"


def customers_query() -> Query:
    """Return the SQL of one row a customer of `:snapshot_date`; null where nothing is predicted."""
    values = []
    for spec, unified, _ in _columns():
        table = spec.name
        if unified.column == REASONS_TEXT:
            value = f"CASE WHEN {table}.customer_id IS NOT NULL THEN {_reasons(table)} END"
        else:
            value = f"{table}.{unified.column}"
        values.append(f"{value} AS {unified.unified_name}")
    due = (
        f"CASE WHEN {spec.name}.action <> '{NO_ACTION.name}' THEN {spec.name}.action END"
        for spec in DECISIONS
        if spec.due
    )
    values.append(f"CONCAT_WS('; ', {', '.join(due)}) AS actions_due")
    values += [f"{spec.name}.{spec.VERSION_COLUMN} AS {spec.name}_version" for spec in USE_CASES]
    joins = (
        f"LEFT JOIN (SELECT * FROM {spec.output.replace('/', '.')} WHERE day = :snapshot_date) "  # noqa: S608 - names are declared in specs
        f"AS {spec.name} ON people.customer_id = {spec.name}.customer_id"
        for spec in USE_CASES
    )
    return Query(
        CUSTOMERS,
        f"SELECT people.customer_id, people.snapshot_date, {', '.join(values)} FROM "  # noqa: S608 - names are declared in specs
        "(SELECT customer_id, snapshot_date FROM features.customer_features "
        f"WHERE day = :snapshot_date) AS people {' '.join(joins)} ORDER BY people.customer_id",
    )


def changes_query() -> Query:
    """Return the SQL of what moved from `:day_before` to `:snapshot_date`, and why.

    A row is a customer of whom a score moved by its least change, or a compared value is another.
    """
    values, news, reasons = [], [], []
    for _, unified, column in _columns():
        name = column.name
        if unified.change is not None:
            values.append(f"today.{name} - before.{name} AS {unified.change}")
        if unified.least_change is not None:
            news.append(f"ABS(COALESCE({unified.change}, 0)) >= {unified.least_change}")
        if unified.compared:
            nothing = _NOTHING[column.type]
            for when, day in (("before", "before"), ("now", "today")):
                value = f"{day}.{name}"
                filled = f"COALESCE({value}, {nothing})" if column.type == "bool" else value
                values.append(f"{filled} AS {name}_{when}")
            other = f"COALESCE({name}_before, {nothing}) <> COALESCE({name}_now, {nothing})"
            if unified.column == REASONS_TEXT:
                reasons.append(f"WHEN {other} THEN '{name.replace('_', ' ')} changed'")
            else:
                news.append(other)
    # the first version of a model is another one for all whom it predicts
    other_versions = (
        f"COALESCE(today.{version} <> COALESCE(before.{version}, "
        f"CASE WHEN MAX(before.{version}) OVER () IS NULL THEN '' END), FALSE)"
        for version in (f"{spec.name}_version" for spec in USE_CASES)
    )
    scored = [spec for spec in USE_CASES if spec.unscored is not None]
    values += [
        f"{day}.{spec.name}_version AS {spec.name}_{day}"
        for spec in scored
        for day in ("before", "today")
    ]
    scoring = [
        f"WHEN {spec.name}_before IS NOT NULL AND {spec.name}_today IS NULL THEN "
        f"'{spec.unscored}, so no longer scored for {spec.name}' "
        f"WHEN {spec.name}_before IS NULL AND {spec.name}_today IS NOT NULL THEN "
        f"'came back and is scored for {spec.name} again'"
        for spec in scored
    ]
    # a later model's reasons say more: they come first
    whys = " ".join([*scoring, *reversed(reasons)])
    columns = [name for name in CHANGES_TABLE.names if name != "why"]
    return Query(
        CHANGES,
        "WITH today AS (SELECT * FROM predictions.customers WHERE day = :snapshot_date), "  # noqa: S608 - names are declared in specs
        "before AS (SELECT * FROM predictions.customers WHERE day = :day_before), "
        f"moved AS (SELECT today.customer_id, today.snapshot_date, {', '.join(values)}, "
        f"{' OR '.join(other_versions)} AS model_changed "
        "FROM today INNER JOIN before ON today.customer_id = before.customer_id) "
        f"SELECT {', '.join(columns)}, "
        "CASE WHEN model_changed THEN 'another model version predicts' "
        f"{whys} ELSE 'features that are no top reason changed' END AS why "
        f"FROM moved WHERE {' OR '.join(news)} ORDER BY customer_id",
    )


def changes_parameters(day: date) -> dict[str, ParameterValue]:
    """Return the parameters of the SQL of changes."""
    return {"snapshot_date": day, "day_before": day - timedelta(days=1)}
