"""SQL files with named parameters, written once in DuckDB's dialect and rendered for each engine.

A file holds one `SELECT` that names tables as `<group>.<table>` and parameters as `:name`.
Belongs here: parsing, binding, rendering. Does not belong here: running (`engine.py`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Self

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from resources.dialects import DialectError, for_athena

# Stands for a table's name in a file's name and text.
PATTERN = "{table}"
# What is quoted, which stays, or a parameter.
_PLACES = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w+)""")

ParameterValue = str | int | float | bool | date | datetime


class SqlError(ValueError):
    """A SQL file cannot be parsed, or its parameters do not fit."""


# compared as itself: the text does not tell those of trees apart
@dataclass(frozen=True, eq=False)
class Query:
    """One parsed `SELECT`.

    Attributes:
        name: What to call it in errors, usually its file.
        text: The SQL as written; "" of one made of a syntax tree.
    """

    name: str
    text: str

    @classmethod
    def of_tree(cls, name: str, tree: exp.Expression) -> Self:
        """A query of a syntax tree, which is not written to be read again.

        That takes time, and DuckDB's text has `$` before parameters, two of which sqlglot reads as
        a quoted text.
        """
        query = cls(name, "")
        query.__dict__["tree"] = tree
        return query

    @cached_property
    def tree(self) -> exp.Expression:
        """The syntax tree.

        Raises:
            SqlError: It does not parse, or is not one query.
        """
        try:
            statements = [tree for tree in sqlglot.parse(self.text, read="duckdb") if tree]
        except SqlglotError as error:
            raise SqlError(f"{self.name} does not parse as DuckDB SQL: {error}") from error
        if len(statements) != 1 or not isinstance(statements[0], exp.Query):
            raise SqlError(f"{self.name} must hold exactly one SELECT")
        return statements[0]

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names of its parameters."""
        return frozenset(node.name for node in self.tree.find_all(exp.Placeholder))

    @cached_property
    def tables(self) -> frozenset[str]:
        """The lake tables it reads, as `<group>.<table>`."""
        return frozenset(
            f"{node.db}.{node.name}" for node in self.tree.find_all(exp.Table) if node.db
        )

    @cached_property
    def _duckdb(self) -> str:
        """The text for DuckDB, `$name` for each parameter: written once, asked of day after day."""
        try:
            return self.tree.sql(
                "duckdb", comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE
            )
        except SqlglotError as error:
            raise SqlError(f"{self.name} cannot be written for duckdb: {error}") from error

    def render(
        self,
        parameters: Mapping[str, ParameterValue],
        *,
        dialect: str = "duckdb",
        table_name: Callable[[str, str], str] | None = None,
    ) -> str:
        """Bind the parameters as typed literals and write the query in a dialect.

        Args:
            parameters: A value for each parameter, no more and no fewer.
            dialect: A sqlglot dialect, `duckdb` or `athena`.
            table_name: Gives the engine's name for `(group, table)`; unchanged when None.

        Raises:
            SqlError: Parameters are missing or unknown, or the dialect cannot say something.
        """
        missing = sorted(self.parameters - parameters.keys())
        unknown = sorted(parameters.keys() - self.parameters)
        if missing or unknown:
            raise SqlError(
                f"{self.name}: "
                + "; ".join(
                    f"{what} parameters: {', '.join(names)}"
                    for what, names in (("missing", missing), ("unknown", unknown))
                    if names
                )
            )
        if dialect == "duckdb" and table_name is None:
            values = {name: f"({_literal(v).sql(dialect)})" for name, v in parameters.items()}
            return _PLACES.sub(lambda at: values[at[1]] if at[1] else at[0], self._duckdb)
        tree = self.tree.copy()
        for node in list(tree.find_all(exp.Placeholder)):
            node.replace(_literal(parameters[node.name]))
        if table_name is not None:
            for table in list(tree.find_all(exp.Table)):
                if table.db:
                    named = sqlglot.to_table(table_name(table.db, table.name), dialect=dialect)
                    named.set("alias", table.args.get("alias"))
                    if not table.alias:
                        named.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
                    table.replace(named)
        try:
            if dialect == "athena":
                return for_athena(tree).sql(
                    dialect=dialect, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE
                )
            return tree.sql(dialect=dialect, unsupported_level=sqlglot.ErrorLevel.RAISE)
        except (SqlglotError, DialectError) as error:
            raise SqlError(f"{self.name} cannot be written for {dialect}: {error}") from error


def _literal(value: ParameterValue) -> exp.Expression:
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            raise SqlError("time parameters are UTC without a zone")
        return exp.cast(exp.Literal.string(value.isoformat(sep=" ")), "timestamp")
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "date")
    if isinstance(value, str):
        return exp.Literal.string(value)
    return exp.Literal.number(value)


@dataclass(frozen=True)
class SqlFolder:
    """A folder of SQL files, `<root>/<group>/<table>.sql`.

    A query may name `shared.<name>` as if it were a table; the `SELECT` of
    `<root>/shared/<name>.sql` is put in its place, parameters included, so that a formula that
    several tables need is written once. A name without a file comes from a pattern: from
    `shared/month_{table}.sql` comes `shared.month_posts`, with `posts` in the place of `{table}`;
    or it is made from declarations. A recursive one goes in front of the query, where it is
    computed once.

    Attributes:
        root: The folder.
        made: Gives the `SELECT` of a shared name that has no file, or None.
    """

    root: Path
    made: Callable[[str], str | None] = lambda name: None  # noqa: ARG005 - makes nothing

    def query(self, name: str) -> Query:
        """Read `<group>/<table>`.

        Raises:
            SqlError: The file, or a shared one it names, is not there or does not parse.
        """
        return _expanded(self, name, self._modified())

    def _modified(self) -> float:
        """When a file last changed, so that what was parsed before then is parsed again."""
        return max((path.stat().st_mtime for path in self.root.rglob("*.sql")), default=0.0)

    def _inline(self, name: str) -> exp.Expression:
        """A query with the shared ones in their places, but for recursive ones."""
        tree = self._read(name).tree.copy()
        for table in [table for table in tree.find_all(exp.Table) if table.db == "shared"]:
            inner = _inlined(self, f"shared/{table.name}", self._modified()).copy()
            if not isinstance(inner, exp.Query):
                raise SqlError(f"shared/{table.name} must be a SELECT")
            if not _recursive(inner):
                table.replace(inner.subquery(table.alias or table.name))
        return tree

    def _expand(self, name: str) -> Query:
        tree = _inlined(self, name, self._modified()).copy()
        in_front = {table.name: table for table in tree.find_all(exp.Table) if table.db == "shared"}
        if in_front and isinstance(tree, exp.Query):
            for table in list(tree.find_all(exp.Table)):
                if table.db == "shared":
                    table.set("db", None)
            for shared in in_front:
                whole = self.query(f"shared/{shared}").tree
                tree = tree.with_(shared, as_=whole.copy(), copy=False)
            # its own parts may name what is put in front
            ctes = tree.args["with_"].expressions
            tree.args["with_"].set("expressions", ctes[-len(in_front) :] + ctes[: -len(in_front)])
        return Query.of_tree(name, tree)

    def names(self) -> list[str]:
        """All `<group>/<table>` that have a file of their own, in order."""
        names = (
            str(path.relative_to(self.root).with_suffix("")) for path in self.root.rglob("*.sql")
        )
        return sorted(name for name in names if PATTERN not in name)

    def _read(self, name: str) -> Query:
        path = self.root / f"{name}.sql"
        if path.is_file():
            return Query(name, path.read_text(encoding="utf-8"))
        for pattern in path.parent.glob(f"*{PATTERN}*.sql"):
            before, after = pattern.stem.split(PATTERN)
            if path.stem.startswith(before) and path.stem.endswith(after):
                table = path.stem[len(before) : len(path.stem) - len(after)]
                text = pattern.read_text(encoding="utf-8")
                return Query(name, text.replace(PATTERN, table))
        made = self.made(path.stem) if path.parent.name == "shared" else None
        if made is not None:
            return Query(name, made)
        raise SqlError(f"there is no SQL file {path}")


@lru_cache(maxsize=256)
def _inlined(folder: SqlFolder, name: str, _modified: float) -> exp.Expression:
    return folder._inline(name)


@lru_cache(maxsize=256)
def _expanded(folder: SqlFolder, name: str, _modified: float) -> Query:
    return folder._expand(name)


def _recursive(tree: exp.Expression) -> bool:
    part = tree.args.get("with_")
    return part is not None and bool(part.recursive)


def quote_name(name: str) -> str:
    """A name as SQL takes it whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """A text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"
