import io
import json
import os
import signal
import sys
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.catalog import imports, models, repository
from apps.catalog.management.commands import import_products
from apps.catalog.tests.factories import ProductFactory

pytestmark = pytest.mark.django_db

GOOD = "sku,name,description,price,currency,stock\nA-1,Oak Chair,Made of oak.,19.90,EUR,3\nA-2,Oak Table,,200,USD,0\n"


@pytest.fixture
def write(tmp_path):
    def write(content, name="products.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def stored():
    columns = ("sku", "name", "description", "price", "currency", "stock", "version")
    return list(models.Product.objects.order_by("sku").values_list(*columns))


def refusal(path, *args, **kwargs):
    """What the command says when it fails: the bad rows, and the last word."""
    screen = io.StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("import_products", str(path), *args, stderr=screen, **kwargs)
    return screen.getvalue().splitlines(), str(failed.value), failed.value.returncode


def csv_refusals(write, *rows, header="sku,name,price,stock"):
    lines, _, code = refusal(write("\n".join((header, *rows))))
    assert code == 1
    assert stored() == []
    return lines


def json_refusals(write, *rows):
    lines, _, code = refusal(write("\n".join(rows), "products.jsonl"))
    assert code == 1
    assert stored() == []
    return lines


def test_a_csv_file_becomes_products(write, capsys):
    call_command("import_products", str(write(GOOD)))

    assert stored() == [
        ("A-1", "Oak Chair", "Made of oak.", Decimal("19.90"), "EUR", 3, 1),
        ("A-2", "Oak Table", "", Decimal("200.00"), "USD", 0, 1),
    ]
    assert capsys.readouterr().out == "2 products imported.\n"


def test_json_lines_become_products_with_exact_prices(write):
    rows = [
        '{"sku": "A-1", "name": "Chair", "price": 0.07}',
        '{"sku": "A-2", "name": "Table", "price": "8", "stock": 2}',
    ]

    call_command("import_products", str(write("\n\n".join(rows), "products.jsonl")))

    assert stored() == [
        ("A-1", "Chair", "", Decimal("0.07"), "EUR", 0, 1),
        ("A-2", "Table", "", Decimal("8.00"), "EUR", 2, 1),
    ]


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))

    call_command("import_products", "-", "--format", "csv")

    assert [row[0] for row in stored()] == ["A-1", "A-2"]


def test_a_known_sku_is_updated_and_gets_a_new_version(write):
    known = ProductFactory(sku="A-1", version=7, is_active=False)

    call_command("import_products", str(write(GOOD)))

    assert stored()[0] == ("A-1", "Oak Chair", "Made of oak.", Decimal("19.90"), "EUR", 3, 8)
    known.refresh_from_db()
    assert not known.is_active
    assert known.updated_at > known.created_at


def test_what_the_file_does_not_have_stays_as_it_is(write):
    ProductFactory(sku="A-1", description="Old.", currency="USD", stock=12)

    call_command("import_products", str(write("sku,price,name\nA-1,5,New\nB-1,6,Other\n")))

    assert stored() == [
        ("A-1", "New", "Old.", Decimal("5.00"), "USD", 12, 2),
        ("B-1", "Other", "", Decimal("6.00"), "EUR", 0, 1),
    ]


def test_rows_of_json_lines_may_give_different_keys(write):
    ProductFactory(sku="A-1", stock=12)
    ProductFactory(sku="A-2", stock=13)
    rows = ['{"sku": "A-1", "name": "One", "price": 1}', '{"sku": "A-2", "name": "Two", "price": 2, "stock": 5}']

    call_command("import_products", str(write("\n".join(rows), "products.jsonl")))

    assert [(row[1], row[5]) for row in stored()] == [("One", 12), ("Two", 5)]


def test_many_rows_are_written_in_chunks(write, monkeypatch):
    monkeypatch.setattr(import_products, "CHUNK", 2)
    sizes = []
    upsert = repository.upsert_products
    monkeypatch.setattr(
        repository, "upsert_products", lambda drafts, columns: (sizes.append(len(drafts)), upsert(drafts, columns))
    )

    call_command("import_products", str(write("sku,name,price\n" + "".join(f"S-{n},N,1\n" for n in range(5)))))

    assert sizes == [2, 2, 1]
    assert len(stored()) == 5


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(write):
    call_command("import_products", str(write('\ufeffsku, name, price\r\nA-1,"A\r\nB", 1.5 \r\n')))

    assert stored()[0][:4] == ("A-1", "A\r\nB", "", Decimal("1.50"))


def test_every_bad_row_is_reported_with_line_field_and_reason(write):
    assert csv_refusals(write, "A-1,Good,1,1", "A-2,,1,1", "A-3,N,one,many", "A-4,N,-1,-1", "A-5,N,1.234,1") == [
        "line 3: name: This field cannot be blank.",
        "line 4: price: must be a number like 12.50; stock: must be a whole number",
        "line 5: price: Ensure this value is greater than or equal to 0.; "
        "stock: Ensure this value is greater than or equal to 0.",
        "line 6: price: Ensure that there are no more than 2 decimal places.",
    ]


@pytest.mark.parametrize("price", ["NaN", "Infinity", "1e3", "1_000", "1,5", "", "\u0661"])
def test_a_price_that_only_python_would_take_is_bad(write, price):
    assert csv_refusals(write, f'A-1,N,"{price}",1') == ["line 2: price: must be a number like 12.50"]


def test_a_stock_beyond_32_bits_is_bad(write):
    assert csv_refusals(write, "A-1,N,1,2147483648") == [
        "line 2: stock: Ensure this value is less than or equal to 2147483647."
    ]


def test_a_sku_that_stands_twice_in_the_file_is_bad(write):
    assert csv_refusals(write, "A-1,N,1,1", "A-2,N,1,1", "A-1,M,2,2") == ["line 4: sku: stands on line 2 already"]


def test_a_row_of_the_wrong_length_is_bad(write):
    assert csv_refusals(write, "A-1,N,1", "A-2,N,1,1,1") == [
        "line 2: has 3 values, the header has 4",
        "line 3: has 5 values, the header has 4",
    ]


def test_rows_after_a_value_with_line_breaks_keep_their_line_numbers(write):
    assert csv_refusals(write, '"A-1","N\nM",1,1', "A-2,N,x,1") == ["line 4: price: must be a number like 12.50"]


def test_a_quote_in_the_wrong_place_makes_one_row_bad(write):
    assert csv_refusals(write, 'A-1,"N"M,1,1', "A-2,N,x,1") == [
        "line 2: is not CSV: ',' expected after '\"'",
        "line 3: price: must be a number like 12.50",
    ]


def test_bytes_that_are_no_utf8_make_one_row_bad(write):
    lines, _, _ = refusal(write(b"sku,name,price\nA-1,Caf\xe9,1\nA-2,Caf\xc3\xa9,x\n"))

    assert lines == ["line 2: name: is not UTF-8", "line 3: price: must be a number like 12.50"]
    assert stored() == []


def test_nul_makes_one_row_bad(write):
    assert csv_refusals(write, "S1  ,N,1,1") == ["line 2: sku: Must not begin or end with a space."]
    assert csv_refusals(write, "A\0,N,1,1") == ["line 2: sku: Null characters are not allowed."]


def test_json_of_the_wrong_kind_is_bad(write):
    assert json_refusals(
        write,
        '["A-1"]',
        '{"sku": 1, "name": null, "price": true, "stock": 1.0}',
        '{"sku": "A-1", "name": "N", "price": NaN}',
        '{"sku": "A-1"}',
        '{"sku": "A-1", "name": "N", "price": 1, "Stock": 1}',
        '{"sku": "A-1\\ud800", "name": "N", "price": 1e999}',
        '{"sku": "A-1", "name": "N", "price": 1e99999999999999999999}',
    ) == [
        "line 1: must be a JSON object",
        "line 2: sku: must be text; name: must be text; price: must be a number like 12.50; "
        "stock: must be a whole number",
        "line 3: is not JSON: NaN is no number",
        "line 4: name: is missing; price: is missing",
        "line 5: 'Stock': is unknown",
        "line 6: sku: is not UTF-8",
        "line 7: is not JSON: [<class 'decimal.InvalidOperation'>]",
    ]


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("sku,name", "missing: 'price'"),
        ("sku,name,price,colour", "unknown: 'colour'"),
        ("sku,name,price,name", "twice: 'name'"),
        ("sku;name;price", "missing: 'sku', 'name', 'price'; unknown: 'sku;name;price'"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(write, header, complaint):
    path = write(f"{header}\nA-1,N,1\n")

    assert refusal(path)[1] == (
        f"{path}: the header row must name columns of sku, name, price, description, currency, stock, "
        f"comma-separated ({complaint})."
    )
    assert stored() == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is empty"),
        ("sku,name,price\n", "has no rows"),
        (b"\xff\xfes\0k\0u\0", "the header row is not UTF-8"),
        (
            "sku,name,price\nA," + "N" * imports.MAX_LINE,
            "line 2 has more than 1048576 bytes: this is no file of products",
        ),
    ],
)
def test_a_file_that_is_none_of_products_is_refused(write, content, complaint):
    path = write(content)

    assert refusal(path)[1] == f"{path}: {complaint}."
    assert stored() == []


def test_a_missing_file_a_folder_and_an_unknown_format_are_refused(tmp_path):
    assert refusal(tmp_path / "no.csv")[1] == f"{tmp_path}/no.csv: No such file or directory."
    assert refusal(tmp_path, "--format", "csv")[1] == f"{tmp_path}: Is a directory."
    assert refusal("products.xlsx")[1] == (
        "products.xlsx: say --format csv or --format jsonl; the name does not end with either."
    )


def test_one_bad_row_keeps_all_others_out(write):
    ProductFactory(sku="A-1", name="Old")

    lines, summary, code = refusal(write(GOOD + "A-3,N,,x,EUR,1\n"))

    assert lines == ["line 4: price: must be a number like 12.50"]
    assert (summary, code) == ("0 products imported; bad rows: 1.", 1)
    assert [row[1] for row in stored()] == ["Old"]


def test_the_screen_shows_the_first_fifty_bad_rows_and_the_file_all(write, tmp_path):
    path = write("sku,name,price\n" + "S,,x\n" * 60)

    lines, summary, _ = refusal(path, "--bad-file", str(tmp_path / "bad.csv"))

    assert len(lines) == 51
    assert lines[-1] == "... and more: see --bad-file"
    assert summary == f"0 products imported; bad rows: 60, written to {tmp_path}/bad.csv."
    assert len((tmp_path / "bad.csv").read_text().splitlines()) == 61


def test_skip_bad_imports_the_good_rows_and_keeps_the_bad_ones(write, tmp_path):
    path = write(b'sku,name,price\nA-1,N,1\nA-2,Caf\xe9,1\nA-3,N\nA-4,N,1,2\nA-5,"N"x,1\nA-1,N,2\n')

    _, summary, code = refusal(path, "--skip-bad")

    assert (summary, code) == (f"1 products imported; bad rows: 5, written to {path}.bad.", 1)
    assert [row[:2] for row in stored()] == [("A-1", "N")]
    assert (tmp_path / "products.csv.bad").read_bytes().splitlines() == [
        b"sku,name,price,reason",
        b"A-2,Caf\xe9,1,name: is not UTF-8",
        b'A-3,N,,"has 2 values, the header has 3"',
        b'A-4,N,1,"has 4 values, the header has 3",2',
        b'"A-5,""N""x,1',
        b'",,,"is not CSV: \',\' expected after \'""\'"',
        b"A-1,N,2,sku: stands on line 2 already",
    ]


def test_skip_bad_keeps_bad_json_as_json(write, tmp_path):
    path = write('{"sku": "A", "name": "N", "price": -0.10}\n{oops\n', "products.jsonl")

    refusal(path, "--skip-bad")

    bad = [json.loads(line) for line in (tmp_path / "products.jsonl.bad").read_text().splitlines()]
    assert bad[0] == {
        "sku": "A",
        "name": "N",
        "price": "-0.10",
        "reason": "price: Ensure this value is greater than or equal to 0.",
    }
    assert bad[1]["text"] == "{oops"
    assert stored() == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("products.csv", "sku,name,price\nA-1,N,x\n"),
        ("products.jsonl", '{"sku": "A-1", "name": "N", "price": "x"}\n'),
    ],
)
def test_a_file_of_bad_rows_can_be_mended_and_imported(write, tmp_path, name, content):
    refusal(write(content, name), "--skip-bad")
    bad = tmp_path / f"{name}.bad"
    bad.write_text(bad.read_text().replace(",x,", ",5,").replace('"x"', '"5"'))

    call_command("import_products", str(bad))

    assert [row[:4] for row in stored()] == [("A-1", "N", "", Decimal("5.00"))]


def test_without_bad_rows_there_is_no_file_of_them(write, tmp_path):
    call_command("import_products", str(write(GOOD)), "--skip-bad")

    assert [path.name for path in tmp_path.iterdir()] == ["products.csv"]


def test_a_file_of_bad_rows_that_cannot_be_written_keeps_all_out(write, tmp_path):
    path = write(GOOD)

    assert refusal(path, "--skip-bad", "--bad-file", str(tmp_path / "no" / "bad"))[1] == (
        f"{path}: No such file or directory."
    )
    assert refusal(path, "--bad-file", str(path))[1] == "--bad-file is the file to be imported."
    assert refusal("-", "--skip-bad", "--format", "csv")[1] == (
        "--skip-bad needs --bad-file when the rows come from standard input."
    )
    assert stored() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing_half_written(write, tmp_path, monkeypatch, number):
    monkeypatch.setattr(import_products, "CHUNK", 1)
    before, upsert = signal.getsignal(signal.SIGTERM), repository.upsert_products

    def upsert_then_interrupt(drafts, columns):
        upsert(drafts, columns)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(repository, "upsert_products", upsert_then_interrupt)

    _, summary, code = refusal(write(GOOD + "A-3,,x,x,x,x\n"), "--skip-bad")

    assert (summary, code) == ("Interrupted: nothing was imported.", 130)
    assert stored() == []
    assert [path.name for path in tmp_path.iterdir()] == ["products.csv"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_progress_is_drawn_on_a_terminal_only(write, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal, other = Terminal(), io.StringIO()
    monkeypatch.setattr(import_products, "REDRAW", 0)
    monkeypatch.setattr(sys, "stderr", terminal)
    call_command("import_products", str(write(GOOD)))
    monkeypatch.setattr(sys, "stderr", other)
    call_command("import_products", str(write(GOOD)))

    assert f"\r\033[K[{'#' * 30}] 100% 2 rows read" in terminal.getvalue()
    assert f"\r\033[K[{'#' * 30}] 100% 2 rows written" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K")
    assert other.getvalue() == ""
