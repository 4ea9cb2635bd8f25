"""The tables that signals read and make, as an engine must know them.

Belongs here: their schemas by SQL name. Does not belong here: the schemas themselves.
"""

from engagement_assets.signals.schemas import SIGNAL_SCHEMAS
from engagement_assets.source.contract import TABLES
from resources.schema import TableSchema


def declared_schemas() -> dict[str, TableSchema]:
    """Schemas of the source and signal tables, as `<group>.<table>`.

    Give them to the engine as `declared`, so that a table without a partition is empty.
    """
    source = {f"source.{name}": table.schema for name, table in TABLES.items()}
    signals = {name.replace("/", "."): schema for name, schema in SIGNAL_SCHEMAS.items()}
    return source | signals
