"""What can be wrong with a source, as exception classes.

Belongs here: one class a kind of mistake that whoever brings the data can put right. Does not
belong here: single bad rows, which are no errors but go to quarantine (`rules.py`).
"""


class SourceError(ValueError):
    """A source cannot be read as the contract asks; the message says what to do."""


class UnknownSourceError(SourceError):
    """No source has this name."""


class SourceSettingsError(SourceError):
    """A source's settings are wrong or lack something."""


class MissingTableError(SourceError):
    """A source lacks a table that the platform cannot run without."""


class ColumnsError(SourceError):
    """A raw table lacks a column, has one the contract does not know, or one of a wrong kind."""


class MappingError(SourceError):
    """A mapping's SQL file is not one SELECT that DuckDB can run."""


class MissingDataError(SourceError):
    """The files that a mapping reads are not there."""


class CorruptInputError(SourceError):
    """A file that a mapping reads is not whole or not of its format."""


class DayOutOfRangeError(SourceError):
    """A day lies outside the days that a source covers."""


class MappingChangedError(SourceError):
    """The rows in the lake were taken in by another mapping than today's."""


class ReaderError(SourceError):
    """A reader broke its own contract, for instance with rows of days nobody asked for."""
