"""What the assets of every signal declare alike.

Belongs here: owners, and the spec of a signal's daily table. Does not belong here: what is in it.
"""

from collections.abc import Sequence

import dagster as dg

from engagement_assets.signals.schemas import SIGNAL_SCHEMAS
from engagement_assets.source.checks import BLOCKING, QUARANTINE_SHARE
from engagement_assets.source.checks import SPECS as SOURCE_CHECKS
from resources.io_managers import COLUMN_SCHEMA, ui_schema

OWNERS = ["team:data-science"]
SOURCE_BLOCKING = [
    spec.key for spec in SOURCE_CHECKS if spec.name in (*BLOCKING, QUARANTINE_SHARE.name)
]


def table_spec(
    table: str,
    description: str,
    *,
    deps: Sequence[str],
    kinds: set[str],
    code_version: str,
) -> dg.AssetSpec:
    """The spec of a daily signal table.

    Args:
        table: `<group>/<name>`, a key of `SIGNAL_SCHEMAS`.
        description: What it is.
        deps: The tables it is made from.
        kinds: Badges in the UI.
        code_version: Version of the code that makes it.
    """
    return dg.AssetSpec(
        table.split("/"),
        description=description,
        group_name=table.split("/", maxsplit=1)[0],
        owners=OWNERS,
        kinds=kinds,
        code_version=code_version,
        deps=[dep.split("/") for dep in deps],
        metadata={COLUMN_SCHEMA: ui_schema(SIGNAL_SCHEMAS[table])},
    )
