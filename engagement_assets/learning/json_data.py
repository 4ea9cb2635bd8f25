"""Small dataclasses that are kept as JSON data beside a model or in its card.

Belongs here: their way to JSON and back. Does not belong here: files and formats (the estimators).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


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
