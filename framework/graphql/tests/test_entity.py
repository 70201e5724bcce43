from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import graphene
import pytest
from django.core.exceptions import ImproperlyConfigured

from framework.changes import UNSET, Unset
from framework.graphql.entity import EntityInput, EntityType


class Genre(StrEnum):
    NOVEL = "novel"
    POEM = "poem"


class Author(NamedTuple):
    name: str


class Book(NamedTuple):
    id: int
    title: str
    price: Decimal
    tags: tuple[str, ...]
    genre: Genre
    published_at: datetime | None
    owner_id: int | None


class BookDraft(NamedTuple):
    title: str
    subtitle: str = ""
    owner_id: int | None = None
    genre: Genre = Genre.NOVEL


class BookChanges(NamedTuple):
    title: str | Unset = UNSET
    owner_id: int | Unset | None = UNSET


BOOK = Book(2**60, "Walden", Decimal("9.90"), ("wood",), Genre.POEM, datetime(2026, 1, 2, tzinfo=UTC), None)


@pytest.fixture
def received():
    return []


@pytest.fixture
def schema(received):
    class BookType(EntityType):
        class Meta:
            name = "Book"
            entity = Book
            descriptions = {"price": "Exact."}

    class DraftInput(EntityInput):
        class Meta:
            entity = BookDraft

    class ChangesInput(EntityInput):
        class Meta:
            entity = BookChanges

    class Query(graphene.ObjectType):
        book = graphene.Field(BookType, draft=DraftInput(), changes=ChangesInput())

        def resolve_book(root, info, draft=None, changes=None):
            received.append(draft or changes)
            return BOOK

    return graphene.Schema(query=Query)


def test_a_type_has_the_fields_of_its_entity(schema):
    printed = str(schema)

    assert (
        'type Book {\n  id: ID!\n  title: String!\n\n  """Exact."""\n  price: Decimal!\n  tags: [String!]!' in printed
    )
    assert "  genre: Genre!\n  publishedAt: DateTime\n  ownerId: ID\n}" in printed


def test_values_are_answered_as_their_types_say(schema):
    answer = schema.execute("{ book { id price tags genre publishedAt ownerId } }")

    assert answer.errors is None
    assert answer.data["book"] == {
        "id": str(2**60),
        "price": "9.90",
        "tags": ["wood"],
        "genre": "POEM",
        "publishedAt": "2026-01-02T00:00:00+00:00",
        "ownerId": None,
    }


def test_an_input_is_required_where_the_entity_has_no_default(schema):
    assert (
        'input DraftInput {\n  title: String!\n  subtitle: String! = ""\n  ownerId: ID\n  genre: Genre! = NOVEL\n}'
        in (str(schema))
    )


def test_a_resolver_receives_the_entity_with_ids_as_integers(schema, received):
    schema.execute('{ book(draft: {title: "a", ownerId: "7"}) { id } }')

    assert received == [BookDraft("a", "", 7, Genre.NOVEL)]


def test_what_is_left_out_differs_from_null(schema, received):
    schema.execute('{ book(changes: {title: "a"}) { id } }')
    schema.execute("{ book(changes: {ownerId: null}) { id } }")

    assert received == [BookChanges("a", UNSET), BookChanges(UNSET, None)]


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"title": None}, {"title": "must not be null"}),
        ({"ownerId": "x"}, {"ownerId": "not an id"}),
        ({"ownerId": str(2**63)}, {"ownerId": "not an id"}),
    ],
)
@pytest.mark.parametrize("by_variable", [True, False])
def test_a_bad_value_is_refused_under_the_clients_name(schema, received, given, fields, by_variable):
    ((name, value),) = given.items()
    if by_variable:
        answer = schema.execute("query ($c: ChangesInput!) { book(changes: $c) { id } }", variables={"c": given})
    else:
        literal = "null" if value is None else f'"{value}"'
        answer = schema.execute(f"{{ book(changes: {{{name}: {literal}}}) {{ id }} }}")

    (error,) = answer.errors
    assert error.extensions == {"code": "BAD_USER_INPUT", "fields": fields}
    assert received == []


def test_null_for_a_value_with_a_default_is_refused_by_the_schema(schema, received):
    answer = schema.execute('{ book(draft: {title: "a", subtitle: null}) { id } }')

    assert [error.message for error in answer.errors] == ["Expected value of type 'String!', found null."]
    assert received == []


def test_a_field_that_the_class_declares_takes_the_place_of_the_derived_one():
    class BookType(EntityType):
        class Meta:
            entity = Book
            exclude = {"owner_id": "nobody's business"}

        title = graphene.Int(required=True)

        def resolve_title(root, info):
            return len(root.title)

    assert list(BookType._meta.fields) == [
        "id", "price", "tags", "genre", "published_at", "title"
    ]  # fmt: skip
    assert BookType._meta.fields["title"].type.of_type is graphene.Int


class Nested(NamedTuple):
    author: Author


def test_a_field_that_cannot_be_derived_refuses_to_start():
    with pytest.raises(ImproperlyConfigured, match=r"NestedType\.author: no GraphQL type can be derived from"):

        class NestedType(EntityType):
            class Meta:
                entity = Nested


@pytest.mark.parametrize("option", ["exclude", "descriptions"])
def test_a_name_that_the_entity_does_not_have_refuses_to_start(option):
    meta = type("Meta", (), {"entity": Book, option: {"gone": "why"}})
    with pytest.raises(ImproperlyConfigured, match=r"Gone\.Meta names 'gone', which Book does not have"):
        type("Gone", (EntityType,), {"Meta": meta})


def test_a_field_of_nothing_refuses_to_start():
    with pytest.raises(ImproperlyConfigured, match=r"BookType\.pages is no field of Book and has no resolver"):

        class BookType(EntityType):
            class Meta:
                entity = Book

            pages = graphene.Int()
