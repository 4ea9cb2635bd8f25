"""What a search may take.

Belongs here: its limits and seeds. Does not belong here: the search.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a search may take.

    Attributes:
        trials: Trials.
        families: Names of learners.
        seconds: Time for the trials and for scoring the best on all rows; None for no limit. The
            first of each always ends.
        search_rows: Rows that trials see; the best are scored on all rows after it.
        finalists: How many those are.
        memory_mib: Memory that a trial may take besides its data; None for no limit.
        seed: Seed.
        n_jobs: Threads.
    """

    trials: int
    families: tuple[str, ...]
    seconds: float | None
    search_rows: int
    finalists: int
    memory_mib: int | None
    seed: int
    n_jobs: int | None
