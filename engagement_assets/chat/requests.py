"""What a language model may ask of the tools: their schemas, and from a call to what is asked.

A call goes through the same choice of a tool as a question that the grammar reads: what that would
refuse, a model cannot have either.

Belongs here: schemas, and checking a call against them. Does not belong here: the tools
(`tools.py`) and how a model is called (`bedrock.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engagement_assets.chat.catalogue import (
    ADVISED,
    DIMENSIONS,
    MEANINGS,
    METRICS,
    REASONS,
)
from engagement_assets.chat.facts import RefusedError
from engagement_assets.chat.grammar import SERIES, WEEKDAYS, Asked, Known
from engagement_assets.chat.tools import FIGURES, LISTS, ONE, tool_of
from engagement_assets.models.specs import EVERY_MODEL

REFUSE = "refuse"
REFUSALS = {
    "not_known": "no tool answers all of the question",
    "not_allowed": "it asks for personal data, changes, secrets or raw rows",
    "ambiguous": "it can be read in more than one way",
}
PEAK, TOMORROW = "peak", "tomorrow"
_SUM = {"type": "string", "enum": ["avg", "sum"], "description": "mean or total"}
_CUSTOMER = {"type": "string", "maxLength": 256, "description": "a customer's id"}


def _one_of(values: Any, description: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values), "description": description}


def tool_specs(scopes: frozenset[str]) -> list[dict[str, Any]]:
    """Return the tools that some scopes open, as the Converse API takes them."""
    metric = _one_of(METRICS, "the metric")
    groups = {
        "type": "array",
        "maxItems": 3,
        "description": "a value of each dimension that narrows the customers",
        "items": {
            "type": "object",
            "properties": {
                "dimension": _one_of(DIMENSIONS, "the dimension"),
                "value": {"type": "string", "maxLength": 100},
            },
            "required": ["dimension", "value"],
        },
    }
    tools: list[tuple[str, str, str, dict[str, Any], list[str]]] = [
        ("metric", FIGURES, "A metric over all customers or a group; without one, their number.",
         {"metric": metric, "groups": groups, "aggregate": _SUM}, []),
        ("metric_of_customer", ONE, "A metric of one customer.",
         {"metric": metric, "customer": _CUSTOMER}, ["metric", "customer"]),
        ("ranking", FIGURES, "Which group has the highest or lowest of a metric.",
         {"metric": metric, "dimension": _one_of(DIMENSIONS, "the groups"), "aggregate": _SUM,
          "side": _one_of(("highest", "lowest"), "which"), "groups": groups},
         ["metric", "dimension", "side"]),
        ("difference", FIGURES, "A metric of one group less that of another of the same dimension.",
         {"metric": metric, "groups": groups, "aggregate": _SUM}, ["metric", "groups"]),
        ("influencers", LISTS, "The most influential customers of all or of a group.",
         {"groups": groups, "number": {"type": "integer", "minimum": 1, "maximum": 99}}, []),
        ("reasons", ONE, "Why a customer has a score.",
         {"metric": _one_of(REASONS, "the score"), "customer": _CUSTOMER}, ["metric", "customer"]),
        ("counterfactuals", ONE, "What a customer could do differently to have another score.",
         {"metric": _one_of(ADVISED, "the score"), "customer": _CUSTOMER}, ["metric", "customer"]),
        ("holdout", FIGURES, "What the programme added against the global holdout.", {}, []),
        ("forecast", FIGURES, "A forecast of the next seven days.",
         {"series": _one_of(SERIES.values(), "what"),
          "day": _one_of((TOMORROW, PEAK, *WEEKDAYS), "which day, or the highest")},
         ["series", "day"]),
        ("fairness", FIGURES, "Whether a model is fair to a group.",
         {"model": _one_of((spec.name for spec in EVERY_MODEL), "the model"), "groups": groups},
         ["model", "groups"]),
        ("dictionary", "", "What a column means.",
         {"column": _one_of(MEANINGS, "the column")}, ["column"]),
        (REFUSE, "", "Say that the question has no answer here.",
         {"kind": _one_of(REFUSALS, "; ".join(f"{k}: {v}" for k, v in REFUSALS.items()))},
         ["kind"]),
    ]  # fmt: skip
    return [
        {
            "toolSpec": {
                "name": name,
                "description": description,
                "inputSchema": {
                    "json": {"type": "object", "properties": slots, "required": required}
                },
            }
        }
        for name, scope, description, slots, required in tools
        if not scope or scope in scopes
    ]


def asked_of(name: str, given: Mapping[str, Any], known: Known) -> Asked:
    """Return what a call of a tool asks for.

    Raises:
        RefusedError: The model refuses, or the call is none that the grammar could have made.
    """
    if name == REFUSE:
        kind = given.get("kind")
        raise RefusedError(kind if kind in REFUSALS else "not_known", "This has no answer here.")
    asked = Asked(
        metrics=_listed(given, "metric", METRICS),
        dimensions=_listed(given, "dimension", DIMENSIONS),
        series=_listed(given, "series", SERIES.values()),
        models=_listed(given, "model", [spec.name for spec in EVERY_MODEL]),
        values=_groups(given.get("groups", []), known),
        meaning="".join(_listed(given, "column", MEANINGS)),
    )
    asked.cues |= _cues(name, given, asked)
    if "customer" in given:
        customer = known.customers.get(str(given["customer"]).lower())
        asked.customer, asked.unknown_customer = customer or "", customer is None
    number = given.get("number", 0)
    if not isinstance(number, int) or not 0 <= number < 100:
        raise _strange()
    asked.number = number
    day = given.get("day")
    if day in WEEKDAYS:
        asked.weekday = WEEKDAYS.index(str(day))
    if tool_of(asked)[0] != name.removesuffix("_of_customer"):
        raise _strange()
    return asked


def _cues(name: str, given: Mapping[str, Any], asked: Asked) -> set[str]:
    own = {
        "metric": set() if asked.metrics else {"count"},
        "metric_of_customer": set(),
        "ranking": set(_listed(given, "side", ("highest", "lowest"))),
        "counterfactuals": {"change"},
        "forecast": {"forecast", *({PEAK} if given.get("day") == PEAK else ())},
        "dictionary": {"meaning"},
    }.get(name, {name})
    return own | set(_listed(given, "aggregate", ("avg", "sum")))


def _listed(given: Mapping[str, Any], slot: str, legal: Any) -> list[str]:
    if slot not in given:
        return []
    value = given[slot]
    if not isinstance(value, str) or value not in legal:
        raise _strange()
    return [value]


def _groups(given: Any, known: Known) -> list[tuple[str, str]]:
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise _strange()
    pairs = [(str(one.get("dimension")), str(one.get("value"))) for one in given]
    if any(value not in known.values.get(column, ()) for column, value in pairs):
        raise RefusedError("nothing_found", "There is no such group.")
    return pairs


def _strange() -> RefusedError:
    return RefusedError("not_known", "No table here answers this.")
