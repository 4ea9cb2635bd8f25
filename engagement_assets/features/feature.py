"""What one feature declaration says.

Belongs here: the form of a declaration, what of it a customer can change, and how its null rule
reads. Does not belong here: the
declarations (`declarations/`) and what is derived from them (`catalogue.py`).
"""

from dataclasses import dataclass
from typing import Literal

from resources.tables import Column

GROUPS = ("demographics", "engagement", "social", "transactions", "behaviour", "derived")

WithoutRows = Literal["zero", "null", "value"]
Calendar = Literal["", "age", "since", "total", "tenure"]
# By unit, of features without a greatest legal value: what a heavy user comes to. Stated by who
# knows apps, from no row: a limit learnt from the rows would tell of them.
CLIPS = {
    "days": 3_650.0,
    "sessions": 300.0,
    "minutes": 10_000.0,
    "messages": 1_000.0,
    "posts": 200.0,
    "views": 3_000.0,
    "events": 50.0,
    "features": 20.0,
    "customers": 1_000.0,
    "reactions": 1_000.0,
    "comments": 500.0,
    "USD": 10_000.0,
    "transactions": 200.0,
    "listings": 100.0,
    "applications": 100.0,
    "devices": 10.0,
    "pages": 100.0,
    "nats": 5.0,
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a customer can do differently about a feature.

    Attributes:
        words: A clause with `{before}` and `{after}`, "they posted {after} times (now {before})".
        direction: Which way it may be advised.
        measured_as: The experiments' metric of the same behaviour, or "".
    """

    words: str
    direction: Literal["up", "down"] = "up"
    measured_as: str = ""


@dataclass(frozen=True, kw_only=True)
class Feature(Column):
    """One feature of a customer at the end of a snapshot date.

    `sources` and `needs` are lake tables, `<group>/<table>`.

    Its `nullable` follows from `needs` and `null_note`.

    Attributes:
        group: One of `GROUPS`, set by its module; also the table that holds it, `features/<group>`.
        sources: Tables that its value comes from.
        without_rows: The value of a customer without rows in the sources: `zero`, `null`, or
            `value` where every customer has one.
        needs: Tables that must have rows known by the snapshot date; without them the feature is
            null for everybody, because unknown is not zero. Required source tables are not named:
            no snapshot is made without them.
        needs_any: Whether one of `needs` is enough.
        null_note: A further reason for a null.
        decimals: Decimals that a float is rounded to, or None where it is taken over as it is.
        sensitive: Whether it is an attribute that fairness is measured by.
        model_input: Whether models learn from it unless told otherwise.
        calendar: How it moves though nothing changes but the date: `age` by a day a day, `since` as
            the days since something do, `total` as what adds up over the whole history does,
            `tenure` as what follows from the tenure does; "" where it looks at the last days.
        change: What the customer can do differently about it; None where nothing is advised.
        moves_with: The feature with a `change` that this one moves with, such as the days of use
            with the sessions; "" where it stays as it is.
    """

    group: str = ""
    sources: tuple[str, ...]
    without_rows: WithoutRows
    needs: tuple[str, ...] = ()
    needs_any: bool = False
    null_note: str = ""
    decimals: int | None = None
    sensitive: bool = False
    model_input: bool = True
    calendar: Calendar = ""
    change: Change | None = None
    moves_with: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        # a frozen dataclass sets a derived field so; null for nobody means never null
        object.__setattr__(self, "nullable", bool(self.needs or self.null_note))
        if self.numeric and self.clip is None and None in (self.minimum, self.maximum):
            object.__setattr__(self, "clip", CLIPS[self.unit])

    @property
    def null_rule(self) -> str:
        """When it is null, as a sentence."""
        reasons = [self.null_note] if self.null_note else []
        if self.needs:
            either = " and " if self.needs_any else " or "
            none = "have" if self.needs_any and len(self.needs) > 1 else "has"
            reasons.append(f"{either.join(self.needs)} {none} no rows by then")
        otherwise = "0 for a customer without rows" if self.without_rows == "zero" else ""
        if not reasons:
            return f"Never null: {otherwise}." if otherwise else "Never null."
        rule = f"Null when {', or when '.join(reasons)}"
        return f"{rule}; {otherwise}." if otherwise else f"{rule}."

    @property
    def numeric(self) -> bool:
        """Whether it is a number rather than a category."""
        return self.type != "string"
