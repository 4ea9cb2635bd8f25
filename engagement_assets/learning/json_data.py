"""Small dataclasses that are kept as JSON data beside a model or in its card.

Belongs here: their way to JSON and back, and what a damaged file is called. Does not belong here:
files and formats (the estimators).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from safetensors import SafetensorError

if TYPE_CHECKING:
    from upath import UPath


class BrokenFileError(ValueError):
    """A saved file is not what was written; the message names it."""


@contextmanager
def naming(path: Path | UPath) -> Iterator[None]:
    """Name the file that an estimator is read from, whatever is wrong with it.

    Raises:
        BrokenFileError: When what is inside fails to read it; a missing file stays one.
    """
    try:
        yield
    except BrokenFileError:
        raise
    # a damaged file may be wrong in any way: text that is no JSON, another shape, a missing entry
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
        SafetensorError,
    ) as error:
        raise BrokenFileError(
            f"{path} is not what was saved, or a file beside it is not ({type(error).__name__}: "
            f"{error}): restore the folder from a copy, or train again"
        ) from error


def plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON takes them: a search over a grid sets numbers of NumPy."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in parameters.items()
    }


@dataclass(frozen=True)
class JsonData:
    """A dataclass whose fields are numbers, text, and tuples and mappings of them."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave, before or after JSON.

        Raises:
            TypeError: When a field is missing or unknown.
        """
        return cls(**{name: _as_field(value) for name, value in data.items()})


def _as_field(value: Any) -> Any:
    """JSON has lists where the fields have tuples."""
    if isinstance(value, list):
        return tuple(_as_field(item) for item in value)
    if isinstance(value, Mapping):
        return {name: _as_field(item) for name, item in value.items()}
    return value
