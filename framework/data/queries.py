"""Statements that Django composes once: their SQL is kept, and each run brings nothing but its values.

Composing takes Django 0.1 to 0.5 ms, more than all the rest of a small read. For what is read or written often:

    _BY_IDS = KeptQuery(lambda ids: Product.objects.filter(pk__among=ids).values_list(*columns))
    rows = _BY_IDS.run([7, 8])

    _NOTE = KeptInsert(lambda order_id, text: Note(order_id=order_id, text=text, kind="order"))
    note_id = _NOTE.run(7, "Fragile")

The arguments of the function are what may differ from run to run; what it decides in Python (an order, a limit) is
part of the SQL. Connections, transactions, and what counts or stops queries are as with any other.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple

from django.db import connections, models, router, transaction


class Given(models.Expression):
    """Stands in the composed query for a value that each run gives."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]

    def of(self, values: Any) -> Any:
        return values[self.number]


class GivenAsJson(Given):
    def of(self, values: Any) -> Any:
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
    """The rows of one `values_list`. Safe to share between threads: at worst two compose the same SQL.

    A value must be what the database takes, as nothing converts it.
    """

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


class _Insert(NamedTuple):
    sql: str
    values: Sequence[Any]
    fields: Mapping[int, Any]  # by the number of the value that is written there


class KeptInsert:
    """Writes one row and answers its id, as `create` does but for signals. Safe to share between threads.

    Each run's values are converted by their fields.
    """

    def __init__(self, compose: Callable[..., models.Model]) -> None:
        """Raises TypeError for a row with a value that Django would make anew each time, such as a default moment."""
        self._row = compose(*(Given(number) for number in range(len(signature(compose).parameters))))
        self._model = type(self._row)
        self._composed: dict[str, _Insert] = {}  # by database
        for field in self._model._meta.concrete_fields:
            if _changes(field, getattr(self._row, field.attname)):
                raise TypeError(
                    f"{self._model.__name__}.{field.name} would be the same in each row: make it an argument."
                )

    def run(self, *values: Any) -> int:
        """Raises what `create` raises."""
        using = router.db_for_write(self._model)
        insert = self._composed.get(using) or self._compose_for(using)
        connection = connections[using]
        prepared = {
            number: field.get_db_prep_save(values[number], connection) for number, field in insert.fields.items()
        }
        with transaction.mark_for_rollback_on_error(using), connection.cursor() as cursor:
            cursor.execute(insert.sql, [v.of(prepared) if isinstance(v, Given) else v for v in insert.values])
            identifier: int = cursor.fetchone()[0]
        return identifier

    def _compose_for(self, using: str) -> _Insert:
        meta = self._model._meta
        fields = [field for field in meta.concrete_fields if field is not meta.pk]
        query = models.sql.InsertQuery(self._model)
        query.insert_values(fields, [self._row])
        compiler = query.get_compiler(using)
        compiler.returning_fields = [meta.pk]
        [(sql, values)] = compiler.as_sql()
        written = ((field, getattr(self._row, field.attname)) for field in fields)
        given = {value.number: field for field, value in written if isinstance(value, Given)}
        insert = self._composed[using] = _Insert(sql, values, given)
        return insert


def _changes(field: Any, value: Any) -> bool:
    """Whether Django makes up the value each time a row is written."""
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return True
    return field.has_default() and callable(field.default) and not isinstance(value, models.Expression)
