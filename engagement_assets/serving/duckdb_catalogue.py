"""The catalogue on this machine: a DuckDB file of views that show nobody.

Belongs here: which views the file holds. Does not belong here: how columns are masked
(`governance.privacy.views`), writing the file (`resources.catalogue`).
"""

from pathlib import Path

import duckdb
from pydantic import Field

from engagement_assets.governance.privacy.masking import key_of
from engagement_assets.governance.privacy.views import masked_rows
from engagement_assets.governance.tables import KNOWN_TABLES
from resources.catalogue import Catalogue, Published, write_catalogue
from resources.engine import DuckDBEngine, Engine
from resources.tables import by_sql_name


class MaskedCatalogue(Catalogue):
    """A DuckDB file of masked views, for `duckdb -readonly`, of every table that is declared."""

    path: str = Field(description="The DuckDB file.")
    masking_key: str = Field(description="The file of the pseudonyms' key; made where it is not.")
    encrypted: bool = Field(default=False, description="Whether only who has a key reads the lake.")

    def publish(self, engine: Engine) -> Published:
        """Write the file; none of a lake that the file's readers could not decrypt."""
        if not isinstance(engine, DuckDBEngine):
            raise TypeError("a DuckDB catalogue is of a lake that DuckDB reads")
        if self.encrypted:
            Path(self.path).unlink(missing_ok=True)
            return Published("no file, as the lake is encrypted: `make masked QUERY=…`", [])
        key, declared = Path(self.masking_key), by_sql_name(KNOWN_TABLES)
        # a view reads the file when it is made, too
        key_of(key)

        def masked(connection: duckdb.DuckDBPyConnection, table: str) -> str:
            return masked_rows(connection, declared[table], engine.rows(table), key=key)

        tables = write_catalogue(engine.lake, Path(self.path), masked, declared)
        return Published(self.path, tables)

    def exists(self) -> bool:
        """Whether the file is there, where there is to be one."""
        return self.encrypted or Path(self.path).exists()
