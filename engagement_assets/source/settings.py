"""Settings of ingestion.

Belongs here: what an operator may tune. Does not belong here: what describes a source itself (its
first day, time zone and consents stand with the source).
"""

from dataclasses import dataclass

from engagement_assets.source.errors import SourceSettingsError


@dataclass(frozen=True)
class IngestionSettings:
    """How raw rows are taken in.

    Attributes:
        quarantine_share_limit: Share of a day's rows in quarantine above which the blocking check
            fails. Raise it for a source that is known to be dirty and whose bad rows do not
            matter; lower it where every row is money.
        quarantine_least_rows: Rows in quarantine up to which no share of a day is too large: on a
            small day one bad row is several per cent.
        duplicate_lookback_days: Partitions before a row's own in which its key is looked for.
            Raise it when the source uses a key again, or puts a row off, later than a week; each
            day more reads the keys of one more partition. 0 looks at the row's own partition alone.
        chunk_days: Days read and checked at once. Lower it when memory is short; raise it for a
            mapped source whose files are slow to read, because every chunk reads them once.
        chunk_least_rows: Rows below which the next chunk has twice as many days. Lower it when
            memory is short; 0 keeps every chunk at `chunk_days`.
        memory_limit: What DuckDB may use before it spills to disk. Raise it on a large machine.
        threads: DuckDB threads, or None for one a core. Set it where other work shares the cores.
    """

    quarantine_share_limit: float = 0.01
    quarantine_least_rows: int = 10
    duplicate_lookback_days: int = 7
    chunk_days: int = 30
    chunk_least_rows: int = 1_000_000
    memory_limit: str = "4GB"
    threads: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.quarantine_share_limit <= 1:
            raise SourceSettingsError(
                f"quarantine_share_limit is {self.quarantine_share_limit}, expected 0 to 1"
            )
        for name in ("duplicate_lookback_days", "quarantine_least_rows", "chunk_least_rows"):
            if getattr(self, name) < 0:
                raise SourceSettingsError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if self.chunk_days < 1:
            raise SourceSettingsError(f"chunk_days is {self.chunk_days}, expected 1 or more")
