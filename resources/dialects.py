"""DuckDB's SQL said so that Athena understands the same by it.

sqlglot translates words; this adds where the two engines differ in meaning. What differs is either
rewritten here or refused by name, so that no query gives other rows on AWS than locally. Belongs
here: those differences. Does not belong here: parsing and binding (`sql.py`), running (`aws/`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

# Counted in whole units that passed by Trino and in boundaries crossed by DuckDB: of dates, and of
# milliseconds, the finest that Athena reads, the two are the same.
DIFF_UNITS = {"DAY", "MILLISECOND"}
# DuckDB counts weekdays from Sunday as 0, Trino from Monday as 1; both count these alike.
FIELDS = {"YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE"}
_INTEGERS = {exp.DataType.Type.BIGINT, exp.DataType.Type.INT, exp.DataType.Type.SMALLINT}
_TIMES = {exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPNTZ}
_TEXTS = {exp.DataType.Type.VARCHAR, exp.DataType.Type.TEXT, exp.DataType.Type.CHAR}
_FRACTIONAL = (exp.Div, exp.Exp, exp.Ln, exp.Log, exp.Sqrt, exp.Avg, exp.Round, exp.Pow)


@dataclass(frozen=True)
class Order:
    """One key of a query's ORDER BY: an output column and its direction."""

    column: str
    descending: bool


class DialectError(ValueError):
    """A query says something that the two engines understand differently."""


def for_athena(tree: exp.Expression) -> exp.Expression:
    """The same query for Athena.

    Raises:
        DialectError: It uses something that would mean another thing there.
    """
    problems = sorted(set(differing(tree)))
    if problems:
        raise DialectError("; ".join(problems))
    same: exp.Expression = tree.copy()
    # from the leaves up, so that what is put around a part holds parts that are done
    for node in reversed(list(same.walk(bfs=True))):
        rewrite = _REWRITES.get(type(node))
        if rewrite is not None:
            rewrite(node)
    return same


def _divide(node: exp.Expression) -> None:
    """DuckDB divides whole numbers and decimals as doubles; Trino cuts off or rounds.

    A zero divisor gives Infinity or NaN for doubles in both; sqlglot would make it null.
    """
    node.set("safe", False)
    left = node.this
    if not (isinstance(left, exp.Cast) and left.to.this == exp.DataType.Type.DOUBLE):
        left.replace(exp.cast(left.copy(), "double"))


def _join_words(node: exp.Expression) -> None:
    """Both engines skip nulls; sqlglot would make them empty words with separators between."""
    node.set("coalesce", False)


def _join_texts(node: exp.Expression) -> None:
    """`a || b` is null where either is null in both engines, as Trino's own operator says best."""
    node.set("safe", False)


def _count_days(node: exp.Expression) -> None:
    """Of timestamps Trino would count whole 24 hours; DuckDB counts midnights."""
    if node.args["unit"].name.upper() == "DAY":
        for side in ("this", "expression"):
            node.set(side, exp.cast(node.args[side].copy(), "date"))


def _pass_nulls_over(node: exp.Expression) -> None:
    """LEAST and GREATEST: Trino gives null where either is null; DuckDB gives the other."""
    one, other = node.this, node.expressions[0]
    node.replace(
        exp.Coalesce(this=node.copy(), expressions=[one.copy(), other.copy()]),
    )


_REWRITES: dict[type[exp.Expression], Callable[[exp.Expression], None]] = {
    exp.Div: _divide,
    exp.ConcatWs: _join_words,
    exp.DPipe: _join_texts,
    exp.DateDiff: _count_days,
    exp.Least: _pass_nulls_over,
    exp.Greatest: _pass_nulls_over,
}


def differing(tree: exp.Expression) -> Iterator[str]:
    """What a query uses that the two engines understand differently, a sentence each."""
    for node in tree.walk():
        check = _CHECKS.get(type(node))
        problem = check(node) if check else None
        if problem:
            yield problem


def _interval(node: exp.Expression) -> str | None:
    """Dates: DuckDB's `date - interval` is a timestamp, Trino's a date."""
    if not isinstance(node.expression, exp.Interval):
        return None
    outer = node.parent
    dated = isinstance(outer, exp.Cast) and outer.to.this in {*_TIMES, exp.DataType.Type.DATE}
    timed = isinstance(node.this, exp.Cast) and node.this.to.this in _TIMES
    if dated or timed:
        return None
    return f"{node.sql('duckdb')} is a timestamp in DuckDB and may be a date in Trino: cast it"


def _cast(node: exp.Expression) -> str | None:
    kind = node.args["to"].this
    # a count of whole units is written alike
    if kind in _TEXTS and not isinstance(node.this, (exp.Literal, exp.DateDiff)):
        return f"{node.sql('duckdb')}: numbers and times are written differently as text"
    if kind in _INTEGERS and any(_fractional(inner) for inner in node.this.walk()):
        return f"{node.sql('duckdb')}: halves are rounded differently; use ROUND or FLOOR"
    return None


def _fractional(node: exp.Expression) -> bool:
    return isinstance(node, _FRACTIONAL) or (
        isinstance(node, exp.Literal) and not node.is_string and not node.is_int
    )


def _diff(node: exp.Expression) -> str | None:
    named = node.args.get("unit")
    unit = named.name.upper() if named else ""
    if unit in DIFF_UNITS:
        return None
    return f"DATE_DIFF of {unit or 'no unit'}: boundaries in DuckDB, whole units in Trino"


def _field(node: exp.Expression) -> str | None:
    field = node.this.name.upper()
    return None if field in FIELDS else f"EXTRACT({field}) is counted differently"


def _extremes(node: exp.Expression) -> str | None:
    if len(node.expressions) == 1:
        return None
    return f"{node.key.upper()} of other than two values: write it with CASE"


def _join(node: exp.Expression) -> str | None:
    method = str(node.args.get("method") or "").upper()
    return f"{method} JOIN does not exist in Athena" if method == "ASOF" else None


def _never(problem: str) -> Callable[[exp.Expression], str | None]:
    return lambda _node: problem


_CHECKS: dict[type[exp.Expression], Callable[[exp.Expression], str | None]] = {
    exp.Sub: _interval,
    exp.Add: _interval,
    exp.Cast: _cast,
    exp.TryCast: _never("TRY_CAST takes other texts in Trino"),
    exp.DateDiff: _diff,
    exp.Extract: _field,
    exp.Least: _extremes,
    exp.Greatest: _extremes,
    exp.Concat: _never("CONCAT passes nulls over in DuckDB and is null in Trino: use ||"),
    exp.IntDiv: _never("// rounds in Trino where it cuts off in DuckDB"),
    exp.Qualify: _never("QUALIFY does not exist in Athena"),
    exp.RegexpLike: _never("regular expressions are of another kind in Trino"),
    exp.RegexpReplace: _never("regular expressions are of another kind in Trino"),
    exp.RegexpExtract: _never("regular expressions are of another kind in Trino"),
    exp.ILike: _never("ILIKE does not exist in Athena"),
    exp.ApproxQuantile: _never("approximate quantiles differ"),
    exp.Quantile: _never("Trino has no exact quantile"),
    exp.PercentileCont: _never("Trino has no exact quantile"),
    exp.PercentileDisc: _never("Trino has no exact quantile"),
    exp.TimestampTrunc: _never("DATE_TRUNC gives a date or a timestamp by engine"),
    exp.Join: _join,
    exp.Median: _never("Trino has no exact median"),
    exp.Limit: _never("a LIMIT keeps other rows where the order is not total"),
    exp.DateTrunc: _never("DATE_TRUNC gives a date or a timestamp by engine"),
    exp.DayOfWeek: _never("weekdays are counted from another day"),
    exp.Date: _never("DATE(x) takes other texts in Trino: use CAST"),
}


def top_order(tree: exp.Expression) -> list[Order]:
    """The output columns by which a query orders its rows.

    Raises:
        DialectError: It orders by something that is not among its columns.
    """
    ordered = tree.args.get("order")
    if ordered is None:
        return []
    return [_order(tree, key) for key in ordered.expressions]


def _order(tree: exp.Expression, key: exp.Expression) -> Order:
    wanted = key.this if isinstance(key, exp.Ordered) else key
    descending = bool(isinstance(key, exp.Ordered) and key.args.get("desc"))
    if isinstance(key, exp.Ordered) and key.args.get("nulls_first"):
        raise DialectError(f"ORDER BY {key.sql('duckdb')}: nulls come last here")
    for selected in _selects(tree):
        plain = selected.this if isinstance(selected, exp.Alias) else selected
        if plain == wanted or (
            isinstance(wanted, exp.Column)
            and not wanted.table
            and selected.alias_or_name == wanted.name
        ):
            return Order(selected.alias_or_name, descending)
    raise DialectError(
        f"ORDER BY {wanted.sql('duckdb')}: it is not a column of the result, by which its rows "
        "could be ordered again"
    )


def without_order(tree: exp.Expression) -> exp.Expression:
    """The query without its outermost ORDER BY, which files written side by side do not keep."""
    bare = tree.copy()
    bare.set("order", None)
    return bare


def output_names(tree: exp.Expression) -> list[str]:
    """Names of the columns that a query gives."""
    return [selected.alias_or_name for selected in _selects(tree)]


def _selects(tree: exp.Expression) -> list[exp.Expression]:
    if not isinstance(tree, exp.Query):
        raise DialectError(f"{tree.sql('duckdb')} is no SELECT")
    return list(tree.selects)
