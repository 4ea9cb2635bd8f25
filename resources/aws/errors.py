"""Errors of AWS. They stand apart so that what names them need not load botocore.

Belongs here: the classes. Does not belong here: what an error means (`clients.py`).
"""


class AwsError(RuntimeError):
    """A call to AWS failed; the message says what was being done, what failed and what to do.

    Attributes:
        code: AWS's own code of it, or "".
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class GlueTableError(AwsError):
    """A table of the Glue catalogue is not what the platform declares; names table and column."""
