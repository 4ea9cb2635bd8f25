"""What analysts see of people: pseudonyms, decades, places and no texts, by the declarations.

The catalogue of what is masked is the declaration of each table (`Column.masking`). Whoever has the
scope `personal` sees the values themselves, and each such reading is noted first:

    <home>/privacy/readings/<time>-<random>.json   who read which columns of which table, and why

The same customer has the same pseudonym in every table of every day, so that masked tables join.
Its key lies outside the home: whoever has a copy of the home cannot tell who is meant by guessing.

Belongs here: masking rows. Does not belong here: which columns are personal (declarations) and who
has which scope (those who show rows).
"""

import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from upath import UPath

from engagement_assets.features.feature import Feature
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import Settings
from resources.files import parsed
from resources.key_files import KeyFileError, keys_in, make_key
from resources.lake import put_atomically
from resources.tables import Column, SchemaError, Table

PERSONAL = "personal"
READINGS = "readings"
WITHHELD = "withheld"
ELSEWHERE = "elsewhere"
# A place with fewer customers than these among the rows shown could name somebody.
LEAST_OF_A_PLACE = 10
PSEUDONYM_DIGITS = 20


@dataclass(frozen=True)
class Reader:
    """Who reads rows.

    Attributes:
        name: The login, or whatever names the person in the record of readings.
        scopes: What was given to the person; `personal` shows people as they are.
        purpose: Why the person needs to see people, for the record.
    """

    name: str
    scopes: frozenset[str] = field(default=frozenset())
    purpose: str = ""


@dataclass(frozen=True)
class Masking:
    """Masks rows with one key, and notes who read them unmasked.

    Attributes:
        key: Of the pseudonyms.
        root: The folder of readings.
    """

    key: bytes = field(repr=False)
    root: UPath

    @classmethod
    def of(cls, settings: Settings, privacy: UPath) -> "Masking":
        """Return the masking of a home.

        Args:
            settings: Of the home; they say where the key is.
            privacy: The folder `privacy` of the installation (`Erasures.root`).

        Raises:
            SettingsError: The key would lie in the home, or is no key.
        """
        return cls(masking_key(settings), privacy / READINGS)

    def masked(self, rows: pd.DataFrame, table: Table, reader: Reader) -> pd.DataFrame:
        """Return what a person may see of some rows of a table; the rows are left as they are.

        Args:
            rows: Of the table, with all of its columns or some.
            table: Its declaration, which says how each column is masked.
            reader: Who reads; with the scope `personal` the rows come as they are, and it is noted.

        Raises:
            SchemaError: A column is not of the table, so that nobody knows whether it is personal.
        """
        strange = [str(name) for name in rows.columns if name not in table.names]
        if strange:
            raise SchemaError(
                f"{', '.join(strange)} is no column of {table.key}, so it is not known what may be "
                "shown of it: mask the rows of each table before they are joined"
            )
        columns = [column for column in table.columns if column.masking]
        columns = [column for column in columns if column.name in rows.columns]
        if PERSONAL in reader.scopes:
            if columns:
                self.note(table, columns, reader, len(rows))
            return rows
        return rows.assign(**{column.name: self._values(column, table, rows) for column in columns})

    def pseudonym(self, customer_id: str) -> str:
        """Return what stands for a customer in masked rows."""
        digest = hmac.digest(self.key, customer_id.encode(), "sha256")
        return f"p_{digest.hex()[:PSEUDONYM_DIGITS]}"

    def _values(self, column: Column, table: Table, rows: pd.DataFrame) -> pd.Series:
        values = rows[column.name]
        if column.masking == "pseudonym":
            known = {name: self.pseudonym(str(name)) for name in values.dropna().unique()}
            return values.map(known)
        if column.masking == "decade":
            return values.map(_decade, na_action="ignore")
        if column.masking == "place":
            return _places(values, [rows[name] for name in table.customer_columns if name in rows])
        text = column.type == "string"
        return values.where(values.isna(), WITHHELD if text else None).astype(object)

    def note(self, table: Table, columns: list[Column], reader: Reader, count: int) -> None:
        """Note a reading of some masked columns of a table, before anything is shown."""
        now = datetime.now(UTC)
        reading = {
            "at": now.isoformat(),
            "reader": reader.name,
            "purpose": reader.purpose,
            "table": table.key,
            "columns": [column.name for column in columns],
            "rows": count,
        }
        name = f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json"
        put_atomically(self.root / name, json.dumps(reading, indent=1).encode())


def of_groups_only(column: Column) -> bool:
    """Return whether a column is shown of groups only, never beside a single customer's name.

    Fairness is measured by sensitive ones; what is made coarse for analysts could name somebody.
    """
    sensitive = isinstance(column, Feature) and column.sensitive
    return sensitive or column.masking in {"decade", "place"}


def readings(root: UPath) -> list[dict[str, Any]]:
    """Return the unmasked readings that were noted under a folder, the first one first.

    Raises:
        DamagedFileError: One is no JSON object; the message names it.
    """
    files = sorted(root.glob("*.json")) if root.exists() else []
    return [parsed(path, path.read_bytes()) for path in files]


def masking_key(settings: Settings) -> bytes:
    """Return the key of the pseudonyms; made where there is none.

    Raises:
        SettingsError: Its file would lie in the home, or holds no key.
    """
    return key_of(key_path(settings))


def key_path(settings: Settings) -> Path:
    """Return where the key of the pseudonyms is to be.

    Raises:
        SettingsError: That lies in the home.
    """
    default = Path.home() / ".config" / "engagement" / "masking.key"
    path = Path(settings.masking_key).expanduser() if settings.masking_key else default
    return settings.outside("MASKING_KEY", path)


def key_of(path: Path) -> bytes:
    """Return the key in a file; made where there is none.

    Raises:
        SettingsError: The file does not hold one key.
    """
    make_key(path)
    try:
        keys = keys_in(path)
    except KeyFileError as error:
        raise SettingsError(f"MASKING_KEY: {error}") from error
    if len(keys) > 1:
        raise SettingsError(
            f"MASKING_KEY: {path} holds {len(keys)} keys; expected one, since another key makes "
            "other pseudonyms"
        )
    return keys[0]


def _decade(value: Any) -> Any:
    """An age or a date of birth as the first of its ten years."""
    if isinstance(value, date):
        return value.replace(year=value.year // 10 * 10, month=1, day=1)
    return value // 10 * 10


def _places(values: pd.Series, customers: list[pd.Series]) -> pd.Series:
    """Places without what follows a slash, and without those of few customers."""
    wide = values.str.split("/").str[0]
    # without a column of customers each row may be the same person's
    who = customers[0] if customers else pd.Series(0, index=values.index)
    people = who.groupby(wide).nunique()
    few = people.index[people < LEAST_OF_A_PLACE]
    return wide.where(~wide.isin(few), ELSEWHERE)
