"""Ledgers of what was spent of budgets, which no later run may forget.

    <root>/<ledger>/<period>.json   one budget of one period, as JSON data

They lie where backups do not restore them (`resources.erasures`): an older ledger would let its
budget be spent twice.

Belongs here: keeping them, one change at a time. Does not belong here: what is spent and what fits.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from upath import UPath

from resources.changes import change_atomically

Entry = dict[str, Any]


class LedgerError(RuntimeError):
    """A ledger is not what it must be; nothing may be spent."""


@dataclass(frozen=True)
class Ledgers:
    """The folder of all ledgers.

    Attributes:
        root: The folder; made with the first entry.
    """

    root: UPath

    def read(self, name: str, period: str) -> Entry | None:
        """Return what a ledger says, or None where nothing was spent yet.

        Raises:
            LedgerError: It is damaged.
        """
        path = self._path(name, period)
        return self._parsed(path, path.read_bytes() if path.exists() else None)

    def periods(self, name: str) -> dict[str, Entry]:
        """Return what a ledger says of each period, in order."""
        folder = self.root / name
        names = sorted(path.stem for path in folder.glob("*.json")) if folder.exists() else []
        entries = {period: self.read(name, period) for period in names}
        return {period: entry for period, entry in entries.items() if entry is not None}

    def change(self, name: str, period: str, change: Callable[[Entry | None], Entry]) -> None:
        """Replace what a ledger says by what `change` makes of it; others wait, or it fails.

        What `change` raises leaves the ledger as it was.

        Raises:
            LedgerError: It is damaged.
        """
        path = self._path(name, period)

        def changed(text: str | None) -> str:
            return json.dumps(change(self._parsed(path, text)), indent=1)

        change_atomically(path, changed)

    def _path(self, name: str, period: str) -> UPath:
        return self.root / name / f"{period}.json"

    @staticmethod
    def _parsed(path: UPath, text: str | bytes | None) -> Entry | None:
        if text is None:
            return None
        try:
            entry = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise LedgerError(f"{path} is damaged ({error}): restore its newest copy") from error
        if not isinstance(entry, dict):
            raise LedgerError(f"{path} holds no ledger: restore its newest copy")
        return entry
