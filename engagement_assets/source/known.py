"""What is known of the raw tables by the end of a day, as SQL made from the contract.

A query names `shared.known_<table>` for what was known by `:snapshot_date`; the prefixes of
`PARAMETERS` take another day. Such a relation has the table's columns and its partition, `day`:

* rows that happened and were recorded by the end of the day, each in its latest version;
* without rows that were withdrawn by then, and customers who were closed or merged away;
* customers who were merged stand under the id that has their history;
* a column that is filled later than its row (`not_before`) is null until then;
* without rows that name somebody who refuses analytics (`shared/withheld_analytics.sql`): they are
  neither learnt from nor scored. What is judged by another purpose, such as whether a customer may
  be contacted, names `shared.any_known_<table>`, which has them.

Belongs here: the one meaning of "known". Does not belong here: what is computed from it (`sql/`).
"""

from pathlib import Path

from engagement_assets.source.contract import (
    CONSENTS,
    CUSTOMERS,
    ERASURE_REQUESTS,
    MERGES,
    RECORDED_AT,
    TABLES,
    WITHDRAWALS,
    SourceTable,
)
from engagement_assets.source.versions import row_key_sql
from resources.sql import SqlFolder, quote_name, quote_text
from resources.tables import Column

# The longest first: each is tried in turn.
PARAMETERS = {
    "known_by_latest_day_": "latest_day",
    "known_by_last_day_": "last_day",
    "known_by_day_": "known_by_day",
    "known_": "snapshot_date",
}
WHOLE = "any_"
# What says who refuses, and corrects it.
UNFILTERED = frozenset({MERGES, WITHDRAWALS, CONSENTS, ERASURE_REQUESTS})
_REFUSING = "(SELECT customer_id FROM shared.withheld_analytics)"
_MERGED = "merged_customers_by_"

# Who had which customer's history by the end of the day. A chain of merges ends at the last; one
# that runs in a circle ends nowhere and is left alone.
_MERGED_SQL = """
WITH RECURSIVE merges AS (
  SELECT merged_id, customer_id FROM shared.{known}{merges} WHERE merged_id <> customer_id
),
chains AS (
  SELECT merged_id, customer_id FROM merges
  UNION
  SELECT chains.merged_id, merges.customer_id
  FROM chains
  INNER JOIN merges ON merges.merged_id = chains.customer_id
)
SELECT chains.merged_id, MIN(chains.customer_id) AS customer_id
FROM chains
LEFT JOIN merges ON merges.merged_id = chains.customer_id
WHERE merges.merged_id IS NULL
GROUP BY chains.merged_id
"""


def product_sql(root: Path) -> SqlFolder:
    """The product's SQL files, with what is made from the contract.

    Args:
        root: The folder `sql`.
    """
    return SqlFolder(root, made=known_sql)


def known_sql(name: str) -> str | None:
    """Write the `SELECT` of `shared.<name>`; None for a name that is not made from the contract."""
    whole = name.startswith(WHOLE)
    name = name.removeprefix(WHOLE)
    for prefix, parameter in PARAMETERS.items():
        if name == _MERGED + parameter:
            return _MERGED_SQL.format(known=prefix, merges=MERGES)
        table = TABLES.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if table is not None:
            return _known(table, parameter, whole=whole or table.noun in UNFILTERED)
    return None


def _known(table: SourceTable, parameter: str, *, whole: bool) -> str:
    end = f"CAST(:{parameter} AS TIMESTAMP) + INTERVAL 1 DAY"
    merged = () if table.noun == MERGES else table.customer_columns
    columns = ["known.day", *(_column(column, merged, end) for column in table.columns)]
    joins = [
        "LEFT JOIN (SELECT row_key, MAX(replaces_before) AS replaces_before "  # noqa: S608 - declared names
        f'FROM source.revisions WHERE "table" = {quote_text(table.noun)} '
        f"AND day <= :{parameter} AND recorded_at < {end} GROUP BY row_key) AS newer "
        f"ON newer.row_key = {row_key_sql(table, 'known')}"
    ]
    joins += [
        f"LEFT JOIN shared.{_MERGED}{parameter} AS {_merge(name)} "
        f"ON {_merge(name)}.merged_id = known.{quote_name(name)}"
        for name in merged
    ]
    conditions = [
        f"known.day <= :{parameter}",
        f"known.{quote_name(table.event_time)} < {end}",
        f"known.{RECORDED_AT.name} < {end}",
        f"(newer.row_key IS NULL OR known.{RECORDED_AT.name} >= newer.replaces_before)",
        f"(known.{table.ends} IS NULL OR known.{table.ends} >= {end})",
    ]
    if not whole:
        conditions += [
            # not in a list is unknown of null, and an editor's post has no author
            f"COALESCE({_customer(name)}, '') NOT IN {_REFUSING}"
            for name in merged
        ]
    if table.noun == CUSTOMERS:
        conditions.append(f"{_merge('customer_id')}.merged_id IS NULL")
    elif len(merged) > 1:
        # what somebody did with an account of their own is nothing between two people
        one, other = merged[:2]
        conditions.append(
            f"(known.{quote_name(one)} = known.{quote_name(other)} "
            f"OR {_customer(one)} <> {_customer(other)})"
        )
    return (
        f"SELECT {', '.join(columns)} FROM source.{table.noun} AS known {' '.join(joins)} "  # noqa: S608 - declared names
        f"WHERE {' AND '.join(conditions)}"
    )


def _column(column: Column, merged: tuple[str, ...], end: str) -> str:
    name = f"known.{quote_name(column.name)}"
    if column.name in merged:
        return f"{_customer(column.name)} AS {quote_name(column.name)}"
    if column.not_before:
        return f"CASE WHEN {name} < {end} THEN {name} END AS {quote_name(column.name)}"
    return f"{name} AS {quote_name(column.name)}"


def _customer(name: str) -> str:
    return f"COALESCE({_merge(name)}.customer_id, known.{quote_name(name)})"


def _merge(name: str) -> str:
    return f"merge_of_{name}"
