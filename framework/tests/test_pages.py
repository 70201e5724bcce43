from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, date, datetime
from types import ModuleType
from typing import NamedTuple

import graphene
import pytest
from graphql import graphql_sync

from framework.errors import InvalidArgument
from framework.graphql.types import Connection, DateTime, connection_type
from framework.pages import MAX_COUNT, Keyset, Page, position, token
from framework.seam.fakes import Fake

page_of = Fake(ModuleType("shop"))._page
BY_NAME = Keyset("shop.items", "name", "oak")


class Item(NamedTuple):
    id: int
    name: str
    at: datetime = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


ITEMS = [Item(number, f"Oak: {number // 2} é") for number in range(1, 8)]


def test_a_token_names_the_place_of_its_row():
    assert position(BY_NAME, token(BY_NAME, ITEMS[2])) == ("Oak: 1 é", 3)
    newest = Keyset("shop.items", "-at")
    assert position(newest, token(newest, ITEMS[0])) == ("2026-01-02 03:04:05.000006+00:00", 1)


@pytest.mark.parametrize("change", [{"name": "shop.others"}, {"order": "-name"}, {"order": "at"}, {"filtered_by": ""}])
def test_a_token_of_another_list_is_refused(change):
    with pytest.raises(InvalidArgument) as refused:
        position(BY_NAME, token(BY_NAME._replace(**change), ITEMS[0]))

    assert (refused.value.reason, refused.value.fields) == ("BAD_PAGE_TOKEN", {"after": "not a token of this list"})


def written(place):
    """A token that a client makes up after the digest of a true one."""
    true = urlsafe_b64decode(token(BY_NAME, ITEMS[0]))
    return urlsafe_b64encode(true[:8] + place).decode()


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        "é",
        "\0",
        " ",
        "====",
        "a" * 5000,
        written(b""),
        written(b"7"),
        written(b":Oak"),
        written(b"-7:Oak"),
        written(b"7x:Oak"),
        written("٧:Oak".encode()),
        written(b"9223372036854775808:Oak"),
        written(b"1" * 5000 + b":Oak"),
        written(b"7:\xff"),
        token(BY_NAME, ITEMS[0]) + "!",
        token(BY_NAME, ITEMS[0])[:-4],
        token(BY_NAME, ITEMS[0])[4:],
        "A" + token(BY_NAME, ITEMS[0])[1:],
    ],
)
def test_a_malformed_token_is_refused(bad):
    with pytest.raises(InvalidArgument) as refused:
        position(BY_NAME, bad)

    assert refused.value.reason == "BAD_PAGE_TOKEN"


@pytest.mark.parametrize("order", ["name", "-name"])
def test_each_row_of_a_page_has_the_cursor_of_what_follows_it(order):
    keyset = Keyset("shop.items", order)
    page = page_of(ITEMS, keyset, first=5, after="")

    assert page.next_token == page.cursor(page.items[-1])
    for number, item in enumerate(page.items, 1):
        rest = page_of(ITEMS, keyset, first=7, after=page.cursor(item))
        assert page.items[:number] + rest.items == sorted(
            ITEMS, key=lambda item: (item.name, item.id), reverse=order == "-name"
        )


class ItemType(graphene.ObjectType):
    name = graphene.String(required=True)

    class Meta:
        name = "Item"


ItemConnection = connection_type(ItemType)


def answer(connection, fields):
    class Query(graphene.ObjectType):
        items = graphene.Field(ItemConnection, required=True)

        def resolve_items(root, info):
            return connection

    result = graphql_sync(graphene.Schema(Query).graphql_schema, f"{{ items {{ {fields} }} }}")
    assert result.errors is None
    return result.data["items"]


def test_a_connection_is_made_of_the_page_alone():
    page = page_of(ITEMS, BY_NAME, first=2, after="")

    found = answer(
        Connection(page, has_previous_page=False, count=lambda: pytest.fail("was not asked for")),
        "edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }",
    )

    first, second = (token(BY_NAME, item) for item in page.items)
    assert found == {
        "edges": [{"cursor": first, "node": {"name": "Oak: 0 é"}}, {"cursor": second, "node": {"name": "Oak: 1 é"}}],
        "pageInfo": {"hasNextPage": True, "hasPreviousPage": False, "startCursor": first, "endCursor": second},
    }


def test_an_empty_connection_has_no_cursors():
    found = answer(
        Connection(Page([], "", BY_NAME), has_previous_page=True, count=lambda: 0),
        "edges { cursor } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }",
    )

    nothing = {"hasNextPage": False, "hasPreviousPage": True, "startCursor": None, "endCursor": None}
    assert found == {"edges": [], "totalCount": 0, "pageInfo": nothing}


@pytest.mark.parametrize(
    ("counted", "total", "exact"), [(7, 7, True), (MAX_COUNT, MAX_COUNT, True), (MAX_COUNT + 1, MAX_COUNT, False)]
)
def test_a_count_beyond_the_bound_says_that_there_are_more(counted, total, exact):
    counts = []
    connection = Connection(Page([], "", BY_NAME), has_previous_page=False, count=lambda: counts.append(1) or counted)

    assert answer(connection, "totalCount totalCountIsExact") == {"totalCount": total, "totalCountIsExact": exact}
    assert counts == [1]


def test_a_date_is_not_shown_as_a_moment():
    assert DateTime.serialize(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00+00:00"
    with pytest.raises(TypeError, match=r"holds datetime.date\(2026, 1, 2\): give it a datetime, or declare a"):
        DateTime.serialize(date(2026, 1, 2))
