"""The types that a field can have, and what each is called in every layer."""

from typing import NamedTuple


class Kind(NamedTuple):
    """One type: in Python, in the model, in the contract; and two different values for tests, as Python source."""

    python: str
    column: str  # the model's field without its closing bracket
    proto: str
    samples: tuple[str, str]  # that an entity holds
    sent: tuple[str, str]  # the same, as a client writes them in a GraphQL variable
    graphql: bool = True  # whether the GraphQL door knows it


_UUIDS = ('"11111111-1111-4111-8111-111111111111"', '"22222222-2222-4222-8222-222222222222"')
_MOMENTS = ("datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)", "datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)")
_SENT_MOMENTS = ('"2026-01-02T03:04:05+00:00"', '"2026-02-03T04:05:06+00:00"')
_MAILS = ('"ann@example.com"', '"bob@example.com"')
_URLS = ('"https://example.com/a"', '"https://example.com/b"')
_AMOUNTS = ('Decimal("19.90")', 'Decimal("5.00")')
_NUMBERS = ('Decimal("1.2500")', 'Decimal("2.5000")')
_TEXTS = ('"First"', '"Second"')
_DAYS = ("date(2026, 1, 2)", "date(2026, 2, 3)")
_LONG = "TextField(max_length=10_000, validators=[*TEXT, MaxLengthValidator(10_000)]"

KINDS = {
    "str": Kind("str", "CharField(max_length=200, validators=TEXT", "string", _TEXTS, _TEXTS),
    "text": Kind("str", _LONG, "string", _TEXTS, _TEXTS),
    "int": Kind("int", "IntegerField(validators=INTEGER", "int32", ("1", "2"), ("1", "2")),
    "bool": Kind("bool", "BooleanField(", "bool", ("True", "False"), ("True", "False")),
    "decimal": Kind(
        "Decimal",
        "DecimalField(max_digits=18, decimal_places=4",
        "google.type.Decimal",
        _NUMBERS,
        ('"1.2500"', '"2.5000"'),
    ),
    "money": Kind(
        "Decimal",
        "DecimalField(max_digits=12, decimal_places=2",
        "google.type.Money",
        _AMOUNTS,
        ('"19.90"', '"5.00"'),
    ),
    "date": Kind("date", "DateField(", "google.type.Date", _DAYS, ('"2026-01-02"', '"2026-02-03"')),
    "datetime": Kind("datetime", "DateTimeField(", "google.protobuf.Timestamp", _MOMENTS, _SENT_MOMENTS),
    "duration": Kind(
        "timedelta",
        "DurationField(",
        "google.protobuf.Duration",
        ("timedelta(hours=1)", "timedelta(minutes=5)"),
        ("", ""),
        graphql=False,
    ),
    "email": Kind("str", "EmailField(validators=TEXT", "string", _MAILS, _MAILS),
    "url": Kind("str", "CharField(max_length=500, validators=[*TEXT, *URL]", "string", _URLS, _URLS),
    "uuid": Kind("str", "CharField(max_length=36, validators=UUID", "string", _UUIDS, _UUIDS),
    "enum": Kind("", "CharField(max_length=40", "", ("", ""), ("", "")),
    "reference": Kind("int", "BigIntegerField(db_index=True", "int64", ("7", "8"), ('"7"', '"8"')),
}
