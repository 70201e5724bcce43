from decimal import Decimal

import pytest
from django.urls import reverse

from apps.accounts.tests.factories import StaffFactory, UserFactory
from apps.catalog import models, repository, services
from apps.catalog.entities import Line, ProductChanges
from apps.catalog.tests.factories import ProductFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:catalog_product_changelist")
ADD = reverse("admin:catalog_product_add")
DRAFT = {
    "sku": "OAK-1",
    "name": "Oak Chair",
    "description": "",
    "price": "19.90",
    "currency": "EUR",
    "stock": "3",
    "is_active": "on",
}


@pytest.fixture
def staff(client):
    client.force_login(StaffFactory(is_superuser=True))
    return client


def change(product):
    return reverse("admin:catalog_product_change", args=[product.id])


def form_of(client, product):
    """What a browser would send back unchanged."""
    form = client.get(change(product)).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    values["initial-stock"] = values["stock"]
    return {name: value for name, value in values.items() if value not in (None, False)}


def said(response):
    return [str(message) for message in response.context["messages"]]


def shown(response):
    return [product.sku for product in response.context["cl"].result_list]


@pytest.mark.parametrize("number", [10, 100])
def test_the_list_costs_the_same_queries_whatever_its_length(staff, django_assert_num_queries, number):
    ProductFactory.create_batch(number)

    with django_assert_num_queries(4):
        response = staff.get(LIST)

    assert len(shown(response)) == number
    assert b"19.90" in response.content


def test_the_list_is_sorted_searched_and_filtered(staff):
    ProductFactory(sku="A-1", name="Oak Table")
    ProductFactory(sku="A-2", name="Elm Chair", currency="USD")
    ProductFactory(sku="A-3", name="Oak Chair", is_active=False)

    assert shown(staff.get(LIST)) == ["A-2", "A-3", "A-1"]
    assert shown(staff.get(LIST, {"q": "oak"})) == ["A-3", "A-1"]
    assert shown(staff.get(LIST, {"q": "a-2"})) == ["A-2"]
    assert shown(staff.get(LIST, {"is_active__exact": "0"})) == ["A-3"]
    assert shown(staff.get(LIST, {"currency": "USD"})) == ["A-2"]


def test_a_product_is_created(staff):
    response = staff.post(ADD, DRAFT, follow=True)

    assert response.redirect_chain == [(LIST, 302)]
    (product,) = repository.list_products().items
    assert product[1:9] == ("OAK-1", "Oak Chair", "", Decimal("19.90"), "EUR", 3, True, 1)


def test_a_product_is_changed_and_gets_a_new_version(staff):
    product = ProductFactory()
    form = form_of(staff, product)

    response = staff.post(change(product), form | {"price": "5.00", "stock": "0"}, follow=True)

    assert response.redirect_chain == [(LIST, 302)]
    changed = repository.get_product(product.id)
    assert (changed.price, changed.stock, changed.version) == (Decimal("5.00"), 0, 2)
    assert (changed.name, changed.description) == (product.name, product.description)


def test_a_change_is_written_down_with_who_made_it(staff):
    product = ProductFactory()

    staff.post(change(product), form_of(staff, product) | {"price": "5.00"})

    history = staff.get(reverse("admin:catalog_product_history", args=[product.id]), follow=True)
    (entry,) = history.context["cl"].result_list
    assert (entry.action, entry.actor) == ("catalog.update_product", f"user:{staff.session['_auth_user_id']}")
    assert (entry.before, entry.after) == ({"price": "19.90"}, {"price": "5.00"})


def test_a_product_changed_by_somebody_else_meanwhile_is_not_overwritten(staff):
    product = ProductFactory()
    form = form_of(staff, product)
    current = repository.update_product(product.id, 1, ProductChanges(stock=7))

    response = staff.post(change(product), form | {"stock": "8"})

    assert response.context["errors"] == [
        ["Somebody else has changed this meanwhile: open it again before you change it."]
    ]
    assert repository.get_product(product.id) == current


def test_a_product_that_sells_while_the_form_is_open_is_edited_and_keeps_what_was_sold(staff):
    product = ProductFactory(stock=10)
    form = form_of(staff, product)
    services.reserve("k", [Line(product.id, 3)])

    response = staff.post(change(product), form | {"description": "New."}, follow=True)

    assert response.redirect_chain == [(LIST, 302)]
    changed = repository.get_product(product.id)
    assert (changed.description, changed.stock) == ("New.", 7)


def test_a_stock_that_changed_while_the_form_was_open_is_not_overwritten(staff):
    product = ProductFactory(stock=10)
    form = form_of(staff, product)
    services.reserve("k", [Line(product.id, 3)])

    response = staff.post(change(product), form | {"description": "New.", "stock": "20"})

    assert response.context["errors"] == [
        ["Somebody else has changed this meanwhile: open it again before you change it."]
    ]
    unchanged = repository.get_product(product.id)
    assert (unchanged.description, unchanged.stock) == (product.description, 7)


def test_a_product_changed_while_the_form_is_checked_is_not_overwritten(staff, monkeypatch):
    product = ProductFactory()
    form = form_of(staff, product)
    update = repository.update_product

    def update_second(product_id, version, changes):
        models.Product.objects.filter(pk=product_id).update(version=2, stock=7)
        return update(product_id, version, changes)

    monkeypatch.setattr(repository, "update_product", update_second)
    response = staff.post(change(product), form | {"stock": "8"}, follow=True)

    assert said(response) == ["The product was changed by somebody else: read it again, then try again."]
    assert repository.get_product(product.id).stock == 10


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("stock", "-1", "Ensure this value is greater than or equal to 0."),
        ("stock", str(2**31), "Ensure this value is less than or equal to 2147483647."),
        ("price", "-0.01", "Ensure this value is greater than or equal to 0."),
        ("price", "0.001", "Ensure that there are no more than 2 decimal places."),
        ("currency", "euro", "Ensure this value has at most 3 characters (it has 4)."),
        ("name", "", "This field is required."),
        ("sku", "TAKEN", "Product with this SKU already exists."),
    ],
)
def test_bad_values_are_refused_at_their_fields(staff, field, value, complaint):
    ProductFactory(sku="TAKEN", name="Taken")
    product = ProductFactory()
    form = form_of(staff, product)

    response = staff.post(change(product), form | {field: value})

    assert complaint in response.context["adminform"].form.errors[field]
    assert staff.post(ADD, DRAFT | {field: value}).status_code == 200
    assert repository.get_product(product.id).version == 1
    assert models.Product.objects.count() == 2


def test_selected_products_are_archived(staff):
    products = ProductFactory.create_batch(3)
    selected = [product.id for product in products[:2]]

    response = staff.post(LIST, {"action": "archive", "_selected_action": selected}, follow=True)

    assert said(response) == ["2 archived."]
    assert [product.id for product in repository.list_products().items] == [products[2].id]


def test_a_product_that_cannot_be_archived_is_named_and_the_others_are_archived(staff, monkeypatch):
    first, second = ProductFactory.create_batch(2)
    archive = services.archive_product

    def refuse_first(actor, product_id, version):
        return archive(actor, product_id, version - (product_id == first.id))

    monkeypatch.setattr(services, "archive_product", refuse_first)
    response = staff.post(LIST, {"action": "archive", "_selected_action": [first.id, second.id]}, follow=True)

    assert said(response) == [
        "The product was changed by somebody else: read it again, then try again.",
        "1 archived.",
    ]
    assert [product.id for product in repository.list_products().items] == [first.id]


def test_nobody_deletes_a_product(staff):
    product = ProductFactory()

    page = staff.get(LIST)
    response = staff.post(reverse("admin:catalog_product_delete", args=[product.id]), {"post": "yes"})
    staff.post(LIST, {"action": "delete_selected", "_selected_action": [product.id], "post": "yes"})

    assert [name for name, _ in page.context["action_form"].fields["action"].choices] == ["", "archive"]
    assert response.status_code == 403
    assert models.Product.objects.get() == product


@pytest.mark.parametrize("user", [None, UserFactory])
def test_who_is_not_staff_is_sent_to_the_login(client, user):
    product = repository.get_product(ProductFactory().id)
    if user:
        client.force_login(user())

    for response in (client.get(LIST), client.post(change(product), DRAFT), client.post(ADD, DRAFT)):
        assert response.status_code == 302
        assert response.url.startswith("/admin/login/")
    assert repository.list_products().items == [product]


def test_products_low_in_stock_are_on_the_front_page(staff):
    ProductFactory(stock=4)
    ProductFactory(stock=5)
    ProductFactory(stock=4, is_active=False)

    lines = staff.get(reverse("admin:index")).context["sections"]["Needs a person"]
    (line,) = [line for line in lines if line.text == "Products low in stock"]
    assert line.detail == "1 with fewer than 5 left"
    assert len(staff.get(line.url).context["cl"].result_list) == 1
