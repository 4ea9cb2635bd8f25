"""What answers: each tool turns what is asked into one checked SELECT and claims.

Belongs here: the tools and which scope opens each. Does not belong here: reading questions
(`grammar.py`) and running statements (`query.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from engagement_assets.chat.catalogue import (
    ADVISED,
    COUNT,
    MEANINGS,
    METRICS,
    REASONS,
    VIEW,
    VIEWS,
    Metric,
)
from engagement_assets.chat.facts import Fact, RefusedError
from engagement_assets.chat.grammar import Asked
from engagement_assets.chat.query import ROWS, Warehouse
from engagement_assets.governance.privacy.masking import LEAST_OF_A_PLACE

# What a role may ask for: figures over many, one customer, or lists of customers.
FIGURES, ONE, LISTS = "figures", "customer", "lists"
SCOPES = frozenset({FIGURES, ONE, LISTS})
TOP = 5
# Days that the forecast looks ahead.
DAYS = 7
_VAGUE = "Say what of whom: a metric, and a customer, a group or what to compare by."


@dataclass
class Tools:
    """Answers what is asked.

    Attributes:
        warehouse: The tables.
        scopes: What the asker may see.
    """

    warehouse: Warehouse
    scopes: frozenset[str] = SCOPES

    def answer(self, asked: Asked) -> tuple[str, list[Fact]]:
        """Return the tool's name and the claims.

        Raises:
            RefusedError: It is not clear, not allowed, or there is nothing.
        """
        name, needed = tool_of(asked)
        if asked.unknown_customer:
            raise RefusedError("nothing_found", "There is no such customer.")
        if needed and needed not in self.scopes:
            raise RefusedError("not_allowed", f"This needs the scope {needed}.")
        tools: Mapping[str, Callable[[Asked], list[Fact]]] = {
            "metric": self.metric,
            "ranking": self.ranking,
            "difference": self.difference,
            "influencers": self.influencers,
            "reasons": self.reasons,
            "holdout": self.holdout,
            "forecast": self.forecast,
            "fairness": self.fairness,
            "dictionary": self.dictionary,
            "counterfactuals": self.counterfactuals,
        }
        return name, tools[name](asked)

    def metric(self, asked: Asked) -> list[Fact]:
        """Sum up one metric over a group, or give one customer's."""
        if asked.customer:
            metric = METRICS[asked.metrics[0]]
            if metric.of_groups_only:
                raise RefusedError("not_allowed", "This is shown of groups only.")
            sql = f"SELECT {metric.column} FROM {VIEW} WHERE customer_id = {_text(asked.customer)}"  # noqa: S608 - columns are declared, texts quoted; `check` reads every statement
            [(value,)] = self._rows(VIEW, sql)
            if value is None:
                raise RefusedError("nothing_found", f"No {metric.words} is known of them.")
            return [
                self._fact(1, f"{metric.words} of {asked.customer}: {_figure(value, metric)}",
                           (value,), VIEW, sql)
            ]  # fmt: skip
        expression, words, metric_of = _summed(asked)
        sql = f"SELECT {expression}, COUNT(*) FROM {VIEW}{_where(asked)}"  # noqa: S608 - as above
        [(value, people)] = self._rows(VIEW, sql)
        if not people or value is None:
            raise RefusedError("nothing_found", "Nobody is of this group, or nothing is known.")
        self._require_enough(people)
        whom = _whom(asked)
        text = (
            f"{whom}: {people:,} customers"
            if metric_of is None
            else f"{words} of {whom}: {_figure(value, metric_of)} ({people:,} customers)"
        )
        return [self._fact(1, text, (value, people), VIEW, sql)]

    def ranking(self, asked: Asked) -> list[Fact]:
        """Give the group of a dimension with the highest or lowest of a metric, and all others."""
        expression, words, metric = _summed(asked)
        [dimension] = asked.dimensions
        highest = "highest" in asked.cues
        where = _where(asked)
        sql = (
            f"SELECT {dimension}, {expression} AS figure, COUNT(*) AS people FROM {VIEW}"  # noqa: S608 - as above
            f"{where}{' AND' if where else ' WHERE'} NOT {dimension} IS NULL GROUP BY {dimension} "
            f"ORDER BY figure {'DESC' if highest else 'ASC'} NULLS LAST"
        )
        rows = [row for row in self._rows(VIEW, sql) if row[1] is not None]
        if not rows:
            raise RefusedError("nothing_found", "There is no group with a known value.")
        if ONE not in self.scopes:
            rows = [row for row in rows if row[2] >= LEAST_OF_A_PLACE]
            self._require_enough(max((row[2] for row in rows), default=0))
        side = "highest" if highest else "lowest"
        label = dimension.replace("_", " ")
        first, value, people = rows[0]
        return [
            self._fact(
                1,
                f"{side} {words} by {label} of {_whom(asked)}: {_name(first)}, "
                f"{_figure(value, metric)} ({people:,} customers; {len(rows)} groups)",
                (value, first, people),
                VIEW,
                sql,
            )
        ]

    def difference(self, asked: Asked) -> list[Fact]:
        """Take a metric of one group from that of another of the same dimension."""
        expression, words, metric = _summed(asked)
        (dimension, one), (_, other) = asked.values
        parts = [f"{expression} FILTER (WHERE {dimension} = {_text(v)})" for v in (one, other)]
        parts += [f"COUNT(*) FILTER (WHERE {dimension} = {_text(v)})" for v in (one, other)]
        sql = f"SELECT {parts[0]} - {parts[1]}, {', '.join(parts)} FROM {VIEW}"  # noqa: S608 - as above
        [(value, first, second, *people)] = self._rows(VIEW, sql)
        if value is None:
            raise RefusedError("nothing_found", "One of the groups has no known value.")
        self._require_enough(*people)
        way = "higher" if value > 0 else "lower" if value < 0 else "as high"
        return [
            self._fact(
                1,
                f"{words} of {_name(one)} is {_figure(abs(value), metric)} {way} than of "
                f"{_name(other)} ({_figure(first, metric)} and {_figure(second, metric)})",
                (value, first, second),
                VIEW,
                sql,
            )
        ]

    def influencers(self, asked: Asked) -> list[Fact]:
        """List the customers of a group with the highest influence."""
        count = min(asked.number or TOP, ROWS)
        sql = (
            f"SELECT customer_id FROM influencers JOIN {VIEW} USING (customer_id)"  # noqa: S608 - as above
            f"{_where(asked)} ORDER BY rank LIMIT {count}"
        )
        rows = self._rows("influencers", sql)
        if not rows:
            raise RefusedError("nothing_found", "No influencer is of this group.")
        listed = "; ".join(f"{place} {one}" for place, (one,) in enumerate(rows, 1))
        text = f"influencers of {_whom(asked)}, the strongest first: {listed}"
        return [self._fact(1, text, tuple(one for (one,) in rows), "influencers", sql)]

    def reasons(self, asked: Asked) -> list[Fact]:
        """Give a customer's score with its reasons, as they were stored with it."""
        metric = METRICS[asked.metrics[0]]
        sql = (
            f"SELECT {metric.column}, {REASONS[metric.column]} FROM {VIEW} "  # noqa: S608 - as above
            f"WHERE customer_id = {_text(asked.customer)}"
        )
        [(value, reasons)] = self._rows(VIEW, sql)
        if value is None or not reasons:
            raise RefusedError("nothing_found", f"No {metric.words} is predicted for them.")
        return [
            self._fact(
                1,
                f"the model's {metric.words} of {asked.customer} is {_figure(value, metric)}, "
                f"moved most by: {reasons}",
                (value, reasons),
                VIEW,
                sql,
            )
        ]

    def counterfactuals(self, asked: Asked) -> list[Fact]:
        """Say what a customer at risk could do differently, as it was searched with the day."""
        model = ADVISED[asked.metrics[0] if asked.metrics else "churn_probability"]
        sql = (
            "SELECT words, measured, changes, predicted, predicted_after FROM advice "  # noqa: S608 - as above
            f"WHERE customer_id = {_text(asked.customer)} AND model = {_text(model)}"
        )
        rows = self._rows("advice", sql)
        if not rows:
            raise RefusedError(
                "nothing_found",
                "Nothing is stored: it is searched with the day for those at most risk of leaving, "
                "and for anybody by the API.",
            )
        words, measured, changes, predicted, after = rows[0]
        facts = [
            self._fact(
                1,
                f"what the {model} model would predict of {asked.customer}: {words}",
                (predicted, after, changes),
                "advice",
                sql,
            )
        ]
        if measured:
            facts.append(self._fact(2, measured, (measured,), "advice", sql))
        return facts

    def holdout(self, asked: Asked) -> list[Fact]:  # noqa: ARG002 - every tool takes what is asked
        """Say what the programme adds, by the customers who are left out of it."""
        sql = (
            "SELECT verdict, difference, anytime_low, anytime_high, units_with, units_without "
            "FROM programme WHERE capability = 'programme' AND metric = 'revenue_usd'"
        )
        rows = self._rows("programme", sql)
        if not rows:
            raise RefusedError("nothing_found", "The holdout has not been measured yet.")
        verdict, value, low, high, units, others = rows[0]
        if value is None:
            raise RefusedError("nothing_found", f"The holdout is {verdict}.")
        text = (
            f"programme against the global holdout: {verdict}; {value:+,.2f} USD revenue a "
            f"customer (95 % interval at any look {_signed(low)} to {_signed(high)} USD; {units:,} "
            f"customers with it, {others:,} without)"
        )
        return [self._fact(1, text, (value, low, high, verdict), "programme", sql)]

    def forecast(self, asked: Asked) -> list[Fact]:
        """Give a series' forecast of tomorrow, of a weekday, or its peak."""
        [series] = asked.series
        sql = (
            "SELECT target_day, value, low, high FROM forecast WHERE breakdown = 'total' "  # noqa: S608 - as above
            f"AND metric = {_text(series)} ORDER BY target_day"
        )
        rows = self._rows("forecast", sql)
        if "peak" in asked.cues:
            rows = sorted(rows, key=lambda row: -row[1])[:1]
        elif asked.weekday is not None:
            rows = [row for row in rows if row[0].weekday() == asked.weekday]
        rows = rows[:1]
        if not rows:
            raise RefusedError("nothing_found", "This is not forecast.")
        day, value, low, high = rows[0]
        name = series.replace("_", " ")
        kind = "highest forecast" if "peak" in asked.cues else "forecast"
        text = f"{kind} of {name} on {day}: {value:,.2f} (95 % interval {low:,.2f} to {high:,.2f})"
        return [self._fact(1, text, (value, low, high, day.isoformat()), "forecast", sql)]

    def fairness(self, asked: Asked) -> list[Fact]:
        """Give a model's verdict of fairness, with what was measured of a group."""
        [model] = asked.models
        group = asked.values[0][1]
        sql = (
            "SELECT verdict, measure, value, low, high, people, judged, fails FROM fairness "  # noqa: S608 - as above
            f"WHERE model = {_text(model)} AND group_name = {_text(group)} ORDER BY measure"
        )
        rows = self._rows("fairness", sql)
        if not rows:
            raise RefusedError("nothing_found", "The report of fairness has no such group.")
        facts = [
            self._fact(
                1, f"fairness of the {model} model: {rows[0][0]}", (rows[0][0],), "fairness", sql
            )
        ]
        for place, (_, measure, value, low, high, people, judged, fails) in enumerate(rows, 2):
            range_of = "" if low is None else f" (95 % interval {low:.3f} to {high:.3f})"
            figure = "unknown" if value is None else f"{value:.3f}"
            state = "fails" if fails else "judged" if judged else "not judged"
            facts.append(
                self._fact(
                    place,
                    f"{model} model, {_name(group)}: {measure} {figure}{range_of}, {people:,} "
                    f"people, {state}",
                    (value, low, high, people),
                    "fairness",
                    sql,
                )
            )
        return facts

    def dictionary(self, asked: Asked) -> list[Fact]:
        """Give the meaning of a column, as it is declared."""
        column = MEANINGS[asked.meaning]
        legal = f"; legal: {column.legal}" if column.legal else ""
        return [
            Fact("f1", f"{column.name}: {column.text}{legal}", (column.name,), "dictionary",
                 "", "")
        ]  # fmt: skip

    def _require_enough(self, *people: int) -> None:
        """Refuse a group that could name somebody to those who may not see one customer.

        Raises:
            RefusedError: It has too few customers.
        """
        if ONE not in self.scopes and min(people) < LEAST_OF_A_PLACE:
            raise RefusedError(
                "not_allowed", f"A group of fewer than {LEAST_OF_A_PLACE} could name somebody."
            )

    def _rows(self, view: str, sql: str) -> list[tuple[Any, ...]]:
        if not self.warehouse.has(view):
            raise RefusedError("nothing_found", f"The tables of {view} have no day yet.")
        return self.warehouse.select(sql)

    def _fact(self, number: int, text: str, values: tuple[Any, ...], view: str, sql: str) -> Fact:
        day = self.warehouse.days[view].isoformat()
        return Fact(
            f"f{number}", f"{text} (as of {day})", values, " and ".join(VIEWS[view]), day, sql
        )


def tool_of(asked: Asked) -> tuple[str, str]:
    """Return which tool answers and the scope that it needs.

    Raises:
        RefusedError: More than one could, or none.
    """
    cues, one_metric = asked.cues, len(asked.metrics) == 1
    dimensions_of_values = {column for column, _ in asked.values}
    someone = bool(asked.customer or asked.unknown_customer)
    # the tables hold one day: what will be is the forecast's, what was before is in none
    now = not {"future", "past"} & cues
    plain = now and not asked.number and not {"vague", "forecast", "peak"} & cues
    filtered_once = len(dimensions_of_values) == len(asked.values)
    choices = [
        ("dictionary", "", "meaning" in cues),
        ("holdout", FIGURES, "holdout" in cues and plain and not someone),
        ("influencers", LISTS, "influencers" in cues and now and filtered_once and not someone),
        ("fairness", FIGURES, "fairness" in cues and len(asked.models) == 1
         and len(asked.values) == 1 and plain and not someone),
        ("forecast", FIGURES, bool({"forecast", "peak"} & cues) and len(asked.series) == 1
         and not asked.values and not asked.dimensions and not someone and "past" not in cues
         and asked.number in {0, DAYS}),
        ("reasons", ONE, "reasons" in cues and plain and someone and one_metric and not asked.values
         and asked.metrics[0] in REASONS),
        ("counterfactuals", ONE, "change" in cues and now and someone and not asked.values
         and not asked.dimensions and not asked.number and set(asked.metrics) <= ADVISED.keys()
         and len(asked.metrics) <= 1 and "forecast" not in cues),
        ("difference", FIGURES, "difference" in cues and plain and one_metric
         and len(asked.values) == 2 and len(dimensions_of_values) == 1 and _can_sum(asked)),
        ("ranking", FIGURES, bool({"highest", "lowest"} & cues) and plain and one_metric
         and len(asked.dimensions) == 1 and filtered_once and _can_sum(asked)),
        ("metric", ONE if someone else FIGURES,
         plain and not asked.dimensions and filtered_once
         and not {"highest", "lowest", "difference", "reasons", "change"} & cues
         and ((one_metric and (someone or _can_sum(asked)))
         or (not asked.metrics and "count" in cues and not someone))),
    ]  # fmt: skip
    for name, scope, fits in choices:
        if fits:
            return name, scope
    raise RefusedError("ambiguous", _VAGUE)


def _can_sum(asked: Asked) -> bool:
    return bool({"avg", "sum"} & asked.cues) or METRICS[asked.metrics[0]].aggregate is not None


def _summed(asked: Asked) -> tuple[str, str, Metric | None]:
    if not asked.metrics:
        return "COUNT(*)", COUNT, None
    metric = METRICS[asked.metrics[0]]
    how = next((cue for cue in ("avg", "sum") if cue in asked.cues), metric.aggregate)
    words = f"{'mean' if how == 'avg' else 'total'} {metric.words}"
    return f"{str(how).upper()}({metric.column})", words, metric


def _where(asked: Asked) -> str:
    if not asked.values:
        return ""
    return " WHERE " + " AND ".join(f"{column} = {_text(v)}" for column, v in asked.values)


def _whom(asked: Asked) -> str:
    return " and ".join(_name(value) for _, value in asked.values) or "all customers"


def _name(value: str) -> str:
    return value.replace("_", " ")


def _text(value: str) -> str:
    return exp.Literal.string(value).sql(dialect="duckdb")


def _signed(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+,.2f}"


def _figure(value: float | None, metric: Metric | None) -> str:
    if value is None:
        return "unknown"
    unit = metric.unit if metric else ""
    number = f"{value:,.2f}" if unit == "USD" or abs(value) >= 100 else f"{value:.4g}"
    return f"{number} {unit}".strip()
