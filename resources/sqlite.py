"""SQLite files out of which something is erased.

Belongs here: what a deletion leaves in a file. Does not belong here: what the files hold.
"""

import sqlite3


def compact(file: sqlite3.Connection) -> None:
    """Write a file anew, so that no byte of what was deleted is left in it or its log.

    Readers go on meanwhile. A deletion only marks its pages as free, and pages that were divided
    keep copies.

    Raises:
        sqlite3.OperationalError: A reader held the log for longer than the connection waits.
    """
    file.execute("VACUUM")
    (busy, *_) = file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("database is locked: what was erased is still in its log")
