"""The rules a raw row must keep, made from the contract.

Belongs here: every reason to put a row in quarantine, as a DuckDB predicate and the text that
explains it, but for duplicate keys (`duplicates.py`), which look at several rows. Does not belong
here: running them (`validation.py`).

The predicates read the columns of `validation.typed_select`: each declared column by its name,
`_raw_<column>` for the raw value where a cast may have failed, `_day` for the row's partition, and
`known_<n>.day` for the first day of the customer that the n-th customer column names.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engagement_assets.source.casting import Cast, is_blank
from engagement_assets.source.contract import CUSTOMERS, RECORDED_AT, SourceTable
from resources.sql import quote_name, quote_text
from resources.tables import Column

DUPLICATE_KEY = "duplicate key"
# The same row once more, which is no fault of the data.
DUPLICATE_ROW = "duplicate row"
AFTER_LAST_DAY = "known after the last day"
# Systems write an unknown time as the first day that they can write.
EARLIEST = "TIMESTAMP '1900-01-01'"
# A long value would bloat the quarantine; the whole row stands beside the reason anyway.
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class Rule:
    """One reason to put a row in quarantine.

    Attributes:
        label: What is broken and in which column, the same for all rows: `out of bounds: rating`.
        broken: DuckDB predicate, true or not; null counts as kept.
        detail: DuckDB text expression that goes on after the label for one row, or "".
    """

    label: str
    broken: str
    detail: str = ""

    @property
    def reason(self) -> str:
        """DuckDB expression of the whole reason of one row."""
        label = quote_text(self.label)
        return f"{label} || {self.detail}" if self.detail else label


def rules_of(table: SourceTable, casts: Sequence[Cast]) -> list[Rule]:
    """All rules that a row of a table must keep.

    Args:
        table: The contract.
        casts: How each column is read; a column whose cast cannot fail needs no such rule.
    """
    rules: list[Rule] = []
    for cast in casts:
        rules += _value_rules(table, cast)
    rules += _time_rules(table)
    rules += _customer_rules(table)
    return rules


def known_alias(position: int) -> str:
    """Alias of the join with the known customers for the n-th customer column."""
    return f"known_{position}"


def joined_customer_fields(table: SourceTable) -> tuple[str, ...]:
    """Customer columns that must name a known customer; the table of customers defines them."""
    if table.noun == CUSTOMERS:
        return ()
    return tuple(name for name in table.customer_columns if name not in table.strangers)


def _value_rules(table: SourceTable, cast: Cast) -> list[Rule]:
    field = cast.field
    column = quote_name(field.name)
    rules = []
    absent = f"{column} IS NULL"
    if cast.may_fail:
        raw = quote_name(f"_raw_{field.name}")
        rules.append(
            Rule(
                f"wrong type: {field.name}",
                f"({raw} IS NOT NULL AND {absent})",
                _shown(field, f"CAST({raw} AS VARCHAR)", f" is not a {field.type}"),
            )
        )
        absent = f"({raw} IS NULL AND {absent})"
    rules += _null_rules(table, field, absent)
    if field.type == "float64":
        rules.append(
            Rule(
                f"not a finite number: {field.name}",
                f"NOT isfinite({column})",
                _shown(field, f"CAST({column} AS VARCHAR)"),
            )
        )
    rules += _bounds(field, column)
    if field.allowed:
        legal = ", ".join(quote_text(value) for value in field.allowed)
        rules.append(
            Rule(
                f"not allowed: {field.name}",
                f"{column} NOT IN ({legal})",
                _shown(field, column, f", expected one of {', '.join(field.allowed)}"),
            )
        )
    return rules


def _null_rules(table: SourceTable, field: Column, absent: str) -> list[Rule]:
    # recorded_at is null only where the event's time, its default, is refused itself
    if field.nullable or field == RECORDED_AT:
        return []
    what = "null key" if field.name in table.row_key else "null value"
    if field.type == "string" and (field.name in table.row_key or field.names_customer):
        absent = f"({absent} OR {is_blank(quote_name(field.name))})"
    return [Rule(f"{what}: {field.name}", absent)]


def _bounds(field: Column, column: str) -> list[Rule]:
    if field.minimum is None and field.maximum is None:
        return []
    finite = f"isfinite({column}) AND " if field.type == "float64" else ""
    outside = " OR ".join(
        f"{column} {sign} {bound}"
        for sign, bound in (("<", field.minimum), (">", field.maximum))
        if bound is not None
    )
    if field.maximum is None:
        legal = f"{field.minimum} or more"
    elif field.minimum is None:
        legal = f"{field.maximum} or less"
    else:
        legal = f"{field.minimum} to {field.maximum}"
    return [
        Rule(
            f"out of bounds: {field.name}",
            f"({finite}({outside}))",
            _shown(field, f"CAST({column} AS VARCHAR)", f", expected {legal}"),
        )
    ]


def _time_rules(table: SourceTable) -> list[Rule]:
    event = quote_name(table.event_time)
    recorded = quote_name(RECORDED_AT.name)
    rules = [
        Rule(
            f"out of bounds: {table.event_time}",
            f"{event} < {EARLIEST}",
            f"' = ' || {event} || ' lies before 1900: unknown times are null'",
        ),
        Rule(
            f"in the future: {table.event_time}",
            f"CAST({event} AS DATE) > CAST({recorded} AS DATE)",
            f"' = ' || {event} || ' is after its recorded_at day ' || CAST({recorded} AS DATE)",
        ),
    ]
    rules += [
        Rule(
            f"before the event: {field.name}",
            f"{quote_name(field.name)} < {quote_name(field.not_before)}",
            f"' = ' || {quote_name(field.name)} || ' lies before {field.not_before} ' || "
            f"{quote_name(field.not_before)}",
        )
        for field in table.columns
        if field.not_before
    ]
    return rules


def _customer_rules(table: SourceTable) -> list[Rule]:
    rules = []
    for position, name in enumerate(joined_customer_fields(table)):
        column = quote_name(name)
        first_day = f"{known_alias(position)}.day"
        rules.append(
            Rule(
                f"unknown customer: {name}",
                f"(({first_day} IS NULL OR {first_day} > _day) AND NOT {is_blank(column)})",
                f"' = ' || left({column}, {_SHOWN_CHARACTERS}) || ' is not in customers by ' || "
                "_day",
            )
        )
    return rules


def _shown(field: Column, text: str, after: str = "") -> str:
    """Expression that shows a value, but for personal data, which stays in the raw row alone."""
    if field.personal:
        return quote_text(after) if after else "''"
    return f"' = ' || left({text}, {_SHOWN_CHARACTERS}) || {quote_text(after)}"
