"""What `engagement masked` and `engagement unmasked` do.

Belongs here: from a query to rows, masked, or unmasked and logged before they are shown. Does not
belong here: masking and the record of readings (`governance.privacy`).
"""

from pathlib import Path

from sqlglot import exp

from engagement_assets.deployments.resources import resources_of
from engagement_assets.governance.privacy.masking import (
    PERSONAL,
    Masking,
    Reader,
    key_of,
    key_path,
)
from engagement_assets.governance.privacy.views import masked_rows
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import Settings
from resources.engine import DuckDBEngine, run, view_of
from resources.sql import Query
from resources.tables import SchemaError, by_sql_name


def unmasked(settings: Settings, text: str, *, by: str, reason: str, to: Path | None) -> str:
    """Answer a query over the lake with values as they are; returns what to print.

    A reading of each table that the query names is noted first. The query itself is not: ids may
    stand in it, which an erasure would have to find.

    Args:
        settings: Of the home.
        text: One SELECT of DuckDB.
        by: Who reads.
        reason: Why.
        to: A CSV file, outside the home; None prints the rows as CSV.

    Raises:
        SettingsError: The lake is not read by DuckDB.
        SchemaError: The query names no table, an unknown one or a file, nobody or no reason is
            named, or the file lies in the home.
        SqlError: It is not one SELECT.
        EngineError: DuckDB refuses it.
    """
    if not by.strip() or not reason.strip():
        raise SchemaError("BY and REASON: say who reads and why, for the record")
    if to is not None and to.resolve().is_relative_to(settings.home.resolve()):
        raise SchemaError(f"{to} lies in the home, where an erasure would not know it")
    query, engine = _asked(settings, text)
    known = by_sql_name(KNOWN_TABLES)
    rows = engine.select(query, {}).to_pandas()
    masking = Masking.of(settings, resources_of(settings)["erasures"].erasures.root)
    reader = Reader(by, frozenset({PERSONAL}), reason)
    for name in sorted(query.tables):
        columns = [column for column in known[name].columns if column.masking]
        if columns:
            masking.note(known[name], columns, reader, len(rows))
    shown = rows.to_csv(to, index=False)
    return shown if shown is not None else f"{len(rows):,} rows are in {to}\n"


def masked(settings: Settings, text: str) -> str:
    """Answer a query over masked views of the lake, as CSV.

    Args:
        settings: Of the home.
        text: One SELECT of DuckDB.

    Raises:
        SettingsError: The lake is not read by DuckDB.
        SchemaError: The query names no table, an unknown one or a file.
        SqlError: It is not one SELECT.
        EngineError: DuckDB refuses it.
    """
    query, engine = _asked(settings, text)
    known, key = by_sql_name(KNOWN_TABLES), key_path(settings)
    # made where it is not; a view only reads it
    key_of(key)
    with engine.connection() as connection:
        for table in sorted(query.tables):
            rows = engine.rows(table, engine.lake.check(table))
            view = masked_rows(connection, known[table], rows, key=key)
            run(connection, view_of(table, view), name=f"view of {table}")
        shown: str = (
            run(connection, query.render({}), name=query.name).to_pandas().to_csv(index=False)
        )
    return shown


def _asked(settings: Settings, text: str) -> tuple[Query, DuckDBEngine]:
    """Return a query over tables alone, and what runs it.

    Raises:
        SettingsError: The lake is not read by DuckDB.
        SchemaError: The query names no table, an unknown one or a file.
    """
    engine = resources_of(settings)["engine"].engine(KNOWN_TABLES)
    if not isinstance(engine, DuckDBEngine):
        raise SettingsError("on AWS ask Athena, by a role whose readings Lake Formation allows")
    query, known = Query("the query", text), by_sql_name(KNOWN_TABLES)
    unknown = sorted(query.tables - known.keys())
    if unknown or not query.tables:
        raise SchemaError(
            f"{', '.join(unknown) or 'the query'} names no table of the lake; "
            "docs/data-dictionary.md lists them, such as source.customers"
        )
    named = {one.alias for one in query.tree.find_all(exp.CTE)}
    files = [one for one in query.tree.find_all(exp.Table) if not one.db and one.name not in named]
    if files:
        # its rows could be those of a table that no note would name and no view would mask
        raise SchemaError(
            f"{files[0].sql('duckdb')} is no table of the lake: name tables, not files, of which "
            "no column is known to be personal"
        )
    return query, engine
