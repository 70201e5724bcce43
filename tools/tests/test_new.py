"""A generated domain is green at once, and taken back without a trace; what cannot be is refused with the cure."""

import pytest

from project.env import Env
from tools.new import field as adding
from tools.new.bench import CHECKS, copy, run, unstaged
from tools.new.generate import with_domain, without_domain
from tools.new.names import NameRefused
from tools.new.spec import SpecRefused, parse

MODELS = ("accounts.User",)
LISTED = ", ".join(f'"{name}"' for name in (*Env.model_fields["domains"].default, "billing"))
RICH = (
    *("number:str!", "total:money", "tax:money=0.50", "customer:accounts.User", "status:enum(open,half_paid)=open"),
    *("paid_at:datetime?", "note:text?", "code:uuid", "lines:int=3", "due:date?", "rate:decimal", "mail:email!"),
    *("site:url?", "active:bool=true", "kind:enum(a1,b2)?"),
)
TESTS = (
    "apps/billing",
    *(f"project/tests/test_{name}.py" for name in ("access", "fields", "schema", "seam")),
    "tools/tests/test_reasons.py",
)


@pytest.fixture
def tree(tmp_path):
    return copy(tmp_path)


def new(tree, *words, fails=False):
    return run(tree, "python", "manage.py", "new", *words, fails=fails)


@pytest.mark.timeout(900)
def test_a_rich_domain_grows_is_green_at_once_and_taken_back_without_a_trace(tree):
    new(tree, "domain", "billing.Invoice", *RICH)
    new(tree, "model", "billing.CreditNote", "code:str!", "amount:money", "kind:enum(full,part)", "of:accounts.User")
    new(tree, "field", "billing.Invoice", "memo:text?", "rank:int=3", "paid:bool=false")
    new(tree, "field", "billing.CreditNote", "since:date?")
    for kind, name in (("task", "remind"), ("task", "chase"), ("url", "state_of"), ("command", "tidy_up")):
        new(tree, kind, f"billing.{name}")

    for check in CHECKS:
        run(tree, *check)
    assert " passed" in run(tree, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)
    assert f"({LISTED}" in (tree / "project" / "env.py").read_text()
    assert "createInvoice" in (tree / "project" / "schema.graphql").read_text()

    for _ in range(8):
        new(tree, "--undo")
    assert unstaged(tree) == []
    assert not (tree / "apps" / "billing").exists()


@pytest.mark.timeout(240)
def test_fewer_doors_make_fewer_files_and_a_changed_domain_is_not_taken_back(tree):
    shown = new(tree, "domain", "billing.Category", "name:str!", "takes:duration?", "--doors", "admin", "--dry-run")
    assert "new      apps/billing/models.py" in shown
    assert f"+        ({LISTED}" in shown
    assert unstaged(tree) == []

    new(tree, "domain", "billing.Category", "name:str!", "takes:duration?", "--doors", "admin")
    assert not (tree / "protos" / "billing").exists()
    assert not (tree / "apps" / "billing" / "schema.py").exists()
    assert " passed" in run(tree, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)

    services = tree / "apps" / "billing" / "services.py"
    services.write_text(services.read_text() + "\n\nRATE = 1\n")
    (tree / "apps" / "billing" / "tasks.py").write_text('"""Later."""\n')
    refused = new(tree, "--undo", fails=True)

    assert "  apps/billing/services.py\n  apps/billing/tasks.py" in refused
    assert services.read_text().endswith("RATE = 1\n")


def refusal(target, *words, doors=""):
    with pytest.raises((NameRefused, SpecRefused)) as refused:
        parse(target, words, models=MODELS, doors=doors)
    return str(refused.value)


def test_a_specification_is_read():
    model = parse("billing.Invoice", RICH, models=MODELS)

    fields = {field.name: field for field in model.fields}
    assert (model.one, model.many) == ("invoice", "invoices")
    assert (fields["number"].unique, fields["number"].python) == (True, "str")
    assert (fields["total"].currency, fields["tax"].currency) == ("total_currency", "tax_currency")
    assert (fields["customer_id"].target, fields["customer_id"].python) == ("accounts.User", "int")
    assert fields["status"].default_source == "InvoiceStatus.OPEN"
    assert (fields["paid_at"].python, fields["paid_at"].changes) == ("datetime | None", "datetime | Unset | None")


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("class.Invoice", "'class' cannot be a domain: Python or protobuf has the word. Choose another, as classdesk."),
        ("Billing.Invoice", "'Billing' cannot be a domain: use 2 to 30 lower-case letters"),
        ("admin.Invoice", "'admin' cannot be a domain: it is the admin's label."),
        ("billing", "'' cannot be a model: write it as in Invoice"),
        ("billing.invoice", "'invoice' cannot be a model: write it as in Invoice"),
        ("billing.Invoices", "'Invoices' cannot be a model: it looks like a plural."),
        ("billing.Query", "'Query' cannot be a model: the code uses that name."),
        ("billing.Exception", "'Exception' cannot be a model"),
    ],
)
def test_a_domain_or_model_that_cannot_be_is_refused(target, cause):
    assert refusal(target, "number:str").startswith(cause)


@pytest.mark.parametrize(
    ("word", "cause"),
    [
        ("number", "'number' is no field: write name:type"),
        ("class:str", "'class' cannot be a field: Python or protobuf has the word. Choose another, as own_class."),
        ("message:str", "'message' cannot be a field"),
        ("id:int", "'id' cannot be a field: every model has one."),
        ("user_id:int", "'user_id' cannot be a field: _id is added to references"),
        ("a__b:str", "'a__b' cannot be a field: use lower-case words"),
        ("invoice:str", "invoice: a field cannot be called as its model."),
        ("x:varchar", "x: there is no type 'varchar'. Use one of str, text, int"),
        ("x:str(20)", "x: an enum names its values, and nothing else has any"),
        ("x:enum", "x: an enum names its values"),
        ("x:enum(open,open)", "x: each value of an enum stands once."),
        ("x:enum(unspecified)", "'unspecified' cannot be a value of an enum"),
        ("x:enum(open)=shut", "x: 'shut' cannot be the default of enum."),
        ("x:int=1.5", "x: '1.5' cannot be the default of int."),
        ("x:money?", "x: an amount cannot be nullable or unique"),
        ("x:bool!", "x: bool cannot be unique."),
        ("x:accounts.User!", "x_id: rows of erased users would all be 0. Make it nullable, too: accounts.User!?"),
        ("x:bool?", "x: a form cannot tell false from null."),
        ("x:int?=1", "x: null is the default of a nullable field."),
        ("x:duration", "x: GraphQL has no duration yet."),
        ("x:accounts.Person", "x: there is no model 'accounts.Person'. There are: accounts.User."),
        ("x:billing.Invoice", "x: a reference inside of one domain is a ForeignKey"),
    ],
)
def test_a_field_that_cannot_be_is_refused(word, cause):
    assert refusal("billing.Invoice", word).startswith(cause)


@pytest.mark.parametrize(
    ("word", "cause"),
    [
        ("x:str", "x: there are rows without it: add ? or a default"),
        ("x:str!?", "x: a unique column locks the table while it is added."),
        ("x:enum(a,b)=a", "x: an enum is added by hand: docs/add-a-field.md."),
        ("x:accounts.User?", "x_id: a reference is added by hand"),
    ],
)
def test_a_column_that_cannot_come_while_the_release_before_writes_is_refused(word, cause):
    (field,) = parse("billing.Invoice", [word], models=MODELS).fields
    with pytest.raises(SpecRefused) as refused:
        adding.check(field)
    assert str(refused.value).startswith(cause)


def test_a_field_twice_no_field_and_an_unknown_door_are_refused():
    assert refusal("billing.Invoice", "a:int", "a:str") == "a: each field stands once."
    assert refusal("billing.Invoice") == "billing.Invoice: name at least one field, as in number:str!"
    assert (
        refusal("billing.Invoice", "a:int", doors="rest") == "There is no door 'rest'. There are: graphql, grpc, admin."
    )


def test_a_domain_is_added_to_the_default_of_domains():
    source = '    domains: CommaSeparated = Field(\n        ("catalog",),\n        description="",\n    )\n'

    assert '        ("catalog", "billing"),\n' in with_domain(source, "billing")
    assert without_domain(with_domain(source, "billing"), "billing") == source
    assert "        (),\n" in without_domain(source, "catalog")
    with pytest.raises(SpecRefused):
        with_domain("domains = []", "billing")
