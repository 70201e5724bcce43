"""Queries that Django composes once: their SQL is kept, and each run brings nothing but its values.

Composing a query takes Django 0.2 to 0.5 ms, more than all the rest of a small read. For what is read often:

    _BY_IDS = KeptQuery(lambda ids: Product.objects.filter(pk__among=ids).values_list(*columns))
    rows = _BY_IDS.run([7, 8])

The arguments of the function are what may differ from run to run; what it decides in Python (an order, a limit) is
part of the query. A value must be what the database takes, as nothing converts it. Connections, transactions, and
what counts or stops queries are as with any other.
"""

import json
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, NamedTuple

from django.db import connections, models, router


class Given(models.Expression):
    """Stands in the composed query for a value that each run gives."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]

    def of(self, values: Sequence[Any]) -> Any:
        return values[self.number]


class GivenAsJson(Given):
    def of(self, values: Sequence[Any]) -> Any:
        return json.dumps(list(values[self.number]))


@models.Field.register_lookup
@models.ForeignKey.register_lookup
class Among(models.Lookup):  # type: ignore[type-arg]
    """`column__among=values` is `column__in=values` with one parameter for all of them: the SQL stays the same."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, values = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", [*values, self.rhs]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, values = self.process_lhs(compiler, connection)
        return f"{column} IN (SELECT value FROM json_each(%s))", [*values, GivenAsJson(self.rhs.number)]  # noqa: S608


class _Composed(NamedTuple):
    sql: str
    values: Sequence[Any]
    query: Any
    converters: Any


class KeptQuery:
    """The rows of one `values_list`. Safe to share between threads: at worst two compose the same SQL."""

    def __init__(self, compose: Callable[..., models.QuerySet[Any, tuple[Any, ...]]]) -> None:
        self._compose = compose
        self._given = [Given(number) for number in range(len(signature(compose).parameters))]
        self._model = compose(*self._given).model
        self._composed: dict[str, _Composed] = {}  # by database

    def run(self, *values: Any) -> list[tuple[Any, ...]]:
        using = router.db_for_read(self._model)
        composed = self._composed.get(using) or self._compose_for(using)
        with connections[using].cursor() as cursor:
            cursor.execute(composed.sql, [v.of(values) if isinstance(v, Given) else v for v in composed.values])
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        if composed.converters:  # SQLite knows neither decimals nor moments
            compiler = composed.query.get_compiler(using)
            rows = list(map(tuple, compiler.apply_converters(rows, composed.converters)))
        return rows

    def _compose_for(self, using: str) -> _Composed:
        query = self._compose(*self._given).query
        compiler = query.get_compiler(using)
        sql, values = compiler.as_sql()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        composed = self._composed[using] = _Composed(sql, values, query, converters)
        return composed
