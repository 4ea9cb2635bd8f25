"""One text that several processes change, of which no change is lost.

Belongs here: changing it, on this machine and on S3. Does not belong here: what is in it.
"""

from collections.abc import Callable
from pathlib import Path

from upath import UPath

from resources.files import RESTORE, DamagedFileError, one_writer
from resources.lake import put_atomically


def change_atomically(path: UPath, change: Callable[[str | None], str]) -> None:
    """Replace a text by what `change` makes of it; of several that do so at once none is lost.

    Args:
        path: The file.
        change: Gives the new text from the old, or from None where there is no file yet; what it
            raises leaves the file as it was.

    Raises:
        DamagedFileError: The file is no text.
    """
    if path.protocol == "s3":
        from resources.aws.storage import change_text  # noqa: PLC0415 - boto3 is for S3 alone

        change_text(str(path), change, storage=path.storage_options)
        return
    with one_writer(Path(str(path))):
        try:
            text = path.read_text() if path.exists() else None
        except UnicodeDecodeError as error:
            raise DamagedFileError(f"{path} is no text ({error}): {RESTORE}") from error
        put_atomically(path, change(text).encode())
