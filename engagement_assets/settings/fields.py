"""How a setting is declared, read, refused and documented.

A setting is one field: name, type, default, bounds, and a description that says when to change it.
From it come its variable, its option on the command line, the error that names it and its row in
the docs. Belongs here: what all settings share. Does not belong here: any one of them.
"""

import re
from collections.abc import Iterable, Mapping
from copy import copy
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "1 or 0",
    date: "a date such as 2026-11-21",
}
LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")


class SettingsError(ValueError):
    """A setting has no legal value; the message names it, what was expected and what to do."""


def setting(
    default: Any,
    when: str,
    *,
    variable: str | None = None,
    shown: str | None = None,
    expected: str | None = None,
    **bounds: Any,
) -> Any:
    """Declare a setting.

    Args:
        default: Its value where none is given; `...` where one must be.
        when: What it is and when to change it, in Markdown: its row in the docs.
        variable: Its variable, where that is not the field's name in capitals.
        shown: Its default in the docs, where that is not `default`.
        expected: Legal values in words, where type and bounds do not say them.
        **bounds: `ge`, `gt`, `le`, `lt`, `pattern` or `validation_alias` of pydantic's `Field`.
    """
    extra: dict[str, Any] = {"variable": variable, "shown": shown, "expected": expected}
    return Field(default, description=when, json_schema_extra=extra, **bounds)


def _as_date(value: Any) -> Any:
    # pydantic takes a number for seconds since 1970
    return value if value is None or isinstance(value, date) else date.fromisoformat(str(value))


Day = Annotated[date | None, BeforeValidator(_as_date)]


class Declared(BaseSettings):
    """Settings that are read from their sources and checked by their fields.

    Raises:
        SettingsError: Values are missing or not legal; all of them are named.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_ignore_empty=True, allow_inf_nan=False
    )
    # what needs those without a default, and the page that says what they are
    needed_by: ClassVar[str] = ""
    page: ClassVar[str] = "README.md"

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError(self._refusal(error)) from error

    @classmethod
    def variables(cls) -> dict[str, str]:
        """The variable of each setting that a person may give, by field."""
        prefix = cls.model_config.get("env_prefix", "")
        return {
            name: _extra(field)["variable"]
            or str(field.validation_alias or f"{prefix}{name}".upper())
            for name, field in cls.model_fields.items()
            if field.description
        }

    @classmethod
    def table(cls) -> str:
        """The settings as a table in Markdown."""
        lines = ["| setting | default | when to change it |", "|---|---|---|"]
        for name, variable in cls.variables().items():
            field = cls.model_fields[name]
            lines.append(f"| `{variable}` | {default_in_docs(field)} | {field.description} |")
        return "\n".join(lines)

    @classmethod
    def _refusal(cls, error: ValidationError) -> str:
        variables = cls.variables()
        by_alias = {variables[name]: name for name in variables}
        missing, wrong = [], []
        for problem in error.errors():
            place = str(problem["loc"][0]) if problem["loc"] else ""
            name = by_alias.get(place, place)
            shown = variables.get(name, name)
            cause = problem.get("ctx", {}).get("error")
            if problem["type"] == "missing":
                missing.append(shown)
            elif name not in cls.model_fields:
                wrong.append(str(cause) if cause else f"{shown} is no setting")
            else:
                own = isinstance(cause, ValueError) and str(cause).startswith("expected ")
                expected = str(cause) if own else f"expected {expectation(cls.model_fields[name])}"
                about = plain(cls, name)
                wrong.append(
                    f"{shown}={problem['input']}: {expected}" + (f" ({about})" if about else "")
                )
        if missing:
            wrong.append(f"{cls.needed_by} needs {', '.join(missing)}; see {cls.page}")
        return "\n".join(wrong)


def same(settings: type[Declared], name: str, default: Any = ...) -> Any:
    """Declare a field of a resource as the setting of that name is declared."""
    field = copy(settings.model_fields[name])
    return field if default is ... else Field(default, description=field.description)


def shared(settings: Declared, fields: Iterable[str]) -> Mapping[str, Any]:
    """The values of those fields that the settings have too."""
    return {name: getattr(settings, name) for name in fields if name in type(settings).model_fields}


def expectation(field: FieldInfo) -> str:
    """The legal values of a field, in words."""
    kinds = get_args(field.annotation) or (field.annotation,)
    bounds = [
        f"{words} {getattr(bound, name)}"
        for bound in field.metadata
        for name, words in BOUNDS.items()
        if hasattr(bound, name)
    ]
    words: str = _extra(field)["expected"] or (
        f"one of {', '.join(kinds)}"
        if get_origin(field.annotation) is Literal
        else next((KINDS[kind] for kind in kinds if kind in KINDS), "text")
    )
    return f"{words}, {' and '.join(bounds)}" if bounds else words


def default_in_docs(field: FieldInfo) -> str:
    """The default of a field, as the docs show it."""
    if _extra(field)["shown"]:
        return str(_extra(field)["shown"])
    if field.is_required() or field.default in ("", None):
        return "–"
    plain_default = int(field.default) if isinstance(field.default, bool) else field.default
    return f"`{plain_default}`" if isinstance(plain_default, str) else f"{plain_default:g}"


def plain(settings: type[Declared], name: str) -> str:
    """The description of a setting without links."""
    return LINK.sub(r"\1", settings.model_fields[name].description or "")


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else dict.fromkeys(("variable", "shown", "expected"))
