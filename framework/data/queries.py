"""How queries run: counted for the access line and cancelled when nobody waits; and those that are composed only once.

Composing takes Django 0.1 to 0.5 ms, more than all the rest of a small read. For what is read often:

    _BY_IDS = CompiledQuery(lambda ids: Product.objects.filter(pk__any_of=ids).values_list(*columns))
    rows = _BY_IDS.run([7, 8])

The function's parameters are what may differ from run to run, each compared with a column; whatever the function
decides in Python (an order, a limit) becomes part of the SQL. Connections, transactions, query counts and
cancellation are those of any other query.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from inspect import signature
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.sql import DeleteQuery, UpdateQuery

from framework.context import UnitOfWork, current, trace

CANCEL_TIMEOUT = 1.0  # seconds for the message that cancels a query
MAX_QUERY = 2000  # characters of a query in a trace


class Param(models.Expression):
    """Stands in the query for a value that each run gives."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]

    def of(self, values: Sequence[Any]) -> Any:
        return values[self.number]


class JsonParam(Param):
    """A list of values as one JSON text."""

    def of(self, values: Sequence[Any]) -> Any:
        return json.dumps(values[self.number])


@models.Field.register_lookup
@models.ForeignKey.register_lookup
class AnyOf(models.Lookup):  # type: ignore[type-arg]
    """`column__any_of=values` is `column__in=values` with one parameter for all values: the SQL stays the same."""

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, values = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", [*values, self.rhs]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, values = self.process_lhs(compiler, connection)
        return f"{column} IN (SELECT value FROM json_each(%s))", [*values, JsonParam(self.rhs.number)]  # noqa: S608


class _Compiled(NamedTuple):
    sql: str
    values: Sequence[Any]  # a Param stands where a run's value goes
    query: Any
    converters: Any


class CompiledQuery:
    """The rows of one `values_list`. Safe to share between threads: at worst two compose the same SQL."""

    def __init__(self, compose: Callable[..., models.QuerySet[Any, tuple[Any, ...]]]) -> None:
        """Raises TypeError for a parameter that is not compared with a column."""
        self._compose = compose
        self._names = list(signature(compose).parameters)
        self._params = [Param(number) for number in range(len(self._names))]
        rows = compose(*self._params)
        self._model = rows.model
        lookups = {lookup.rhs.number: lookup for lookup in _param_lookups(rows.query.where)}
        if len(lookups) < len(self._names):
            missing = [name for number, name in enumerate(self._names) if number not in lookups]
            raise TypeError(f"CompiledQuery: not compared with a column: {', '.join(missing)}.")
        self._lookups = [lookups[number] for number in range(len(self._names))]
        self._compiled: dict[str, _Compiled] = {}  # by database

    def run(self, *values: Any) -> list[tuple[Any, ...]]:
        """The rows for these values, each converted by its column's field.

        Raises TypeError for None and ValueError for a value that the field does not take, before anything is sent.
        """
        using = router.db_for_read(self._model)
        compiled = self._compiled.get(using) or self._compile_for(using)
        prepared = [self._prepared(number, value, using) for number, value in enumerate(values)]
        with connections[using].cursor() as cursor:
            cursor.execute(compiled.sql, _filled(compiled.values, prepared))
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        if compiled.converters:  # SQLite knows neither decimals nor moments
            compiler = compiled.query.get_compiler(using)
            rows = list(map(tuple, compiler.apply_converters(rows, compiled.converters)))
        return rows

    def _prepared(self, number: int, value: Any, using: str) -> Any:
        lookup = self._lookups[number]
        if not isinstance(lookup, AnyOf):
            return self._converted(number, value, using)
        if isinstance(lookup.lhs.output_field, _INTEGERS) and set(map(type, value)) <= {int}:
            return list(value)  # hundreds of ids, which no field would change
        return [self._converted(number, one, using) for one in value]

    def _converted(self, number: int, value: Any, using: str) -> Any:
        if value is None:
            raise TypeError(f"{self._names[number]} is None: SQL finds no row equal to NULL; ask with __isnull.")
        return self._lookups[number].lhs.output_field.get_db_prep_value(value, connections[using])

    def _compile_for(self, using: str) -> _Compiled:
        query = self._compose(*self._params).query
        compiler = query.get_compiler(using)
        sql, values = compiler.as_sql()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        compiled = self._compiled[using] = _Compiled(sql, values, query, converters)
        return compiled


class CompiledWrite:
    """An UPDATE of a query's rows to what `values` gives, or without it a DELETE that sends no signals.

    The parameters of `compose` may stand anywhere in the query; a run's values are sent as they are.
    """

    def __init__(
        self, compose: Callable[..., models.QuerySet[Any]], values: Callable[[], dict[str, Any]] | None = None
    ) -> None:
        self._compose, self._values = compose, values

    def run(self, *values: Any) -> int:
        """How many rows were written."""
        sql, params = self._compiled
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(sql, _filled(params, values))
            return int(cursor.rowcount)

    @cached_property
    def _compiled(self) -> tuple[str, Sequence[Any]]:
        rows = self._compose(*map(Param, range(len(signature(self._compose).parameters)))).query
        write: Any = rows.chain(UpdateQuery if self._values else DeleteQuery)
        if self._values:
            write.add_update_values(self._values())
        compiled: tuple[str, Sequence[Any]] = write.get_compiler(DEFAULT_DB_ALIAS).as_sql()
        return compiled


def _filled(params: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """The parameters of a statement, with a run's values in the places of its Params."""
    return [param.of(values) if isinstance(param, Param) else param for param in params]


_INTEGERS = (models.IntegerField, models.ForeignKey)


def _param_lookups(where: Any) -> Iterator[Any]:
    """The comparisons of a column with a parameter."""
    for node in where.children:
        if isinstance(node, models.Lookup):
            if isinstance(node.rhs, Param):
                yield node
        else:
            yield from _param_lookups(node)


def guard_queries() -> None:
    """Wrap the queries of all connections of this process, those to come included."""
    connection_created.connect(_guard, dispatch_uid=__name__)
    for connection in connections.all(initialized_only=True):
        _guard(connection)


def _guard(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if _run_guarded not in connection.execute_wrappers:
        connection.execute_wrappers.append(_run_guarded)


def _run_guarded(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    unit, started = current(), time.perf_counter()
    text = str(sql)  # psycopg's composed statements come by here, too
    unit.wrote = unit.wrote or not text.startswith("SELECT")
    run = partial(execute, sql, params, many, context)
    try:
        if trace.tracer is None:
            return _run(unit, context["connection"], run)
        with trace.span(text.partition(" ")[0].upper(), "client", **_attributes(text, context["connection"])):
            return _run(unit, context["connection"], run)
    finally:
        unit.queries += 1
        unit.sql_seconds += time.perf_counter() - started


def _run(unit: UnitOfWork, connection: BaseDatabaseWrapper, execute: Callable[[], Any]) -> Any:
    if unit.deadline is None and unit.client is None:
        return execute()
    unit.enter_query(partial(_cancel, connection))
    try:
        return execute()
    except OperationalError as error:  # a query that was cancelled is no fault of the database
        if unit.is_over():
            raise unit.exceeded() from error
        raise
    finally:
        unit.leave_query()


def _attributes(sql: str, connection: BaseDatabaseWrapper) -> dict[str, str]:
    """What a trace shows of a query: its text, in which the values are placeholders."""
    return {"db.system.name": connection.vendor, "db.query.text": sql[:MAX_QUERY]}


def _cancel(connection: BaseDatabaseWrapper) -> None:
    # The connection may break at this very moment; then there is nothing left to cancel.
    with contextlib.suppress(Exception):
        if connection.vendor == "postgresql":
            connection.connection.cancel_safe(timeout=CANCEL_TIMEOUT)
        elif connection.vendor == "sqlite":
            connection.connection.interrupt()
