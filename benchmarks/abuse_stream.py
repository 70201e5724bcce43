"""A million products as a stream: at full speed, to a slow reader, and to one that leaves."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import grpc
import psycopg
from psycopg import conninfo, sql

from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1.catalog_pb2_grpc import CatalogServiceStub

Metadata = tuple[tuple[str, str], ...]
ROWS = 1_000_000
GROWTH = 16.0  # MiB that a stream of any length may need
FILL = """
INSERT INTO catalog_product
    (sku, name, description, price, currency, stock, is_active, version, created_at, updated_at)
SELECT 'SKU-' || n, 'Oak chair ' || n, repeat('Made by hand in small numbers. ', 4), n % 100000 / 100.0, 'EUR',
       n % 1000, true, 1, now(), now()
FROM generate_series(1, {}) n
"""


def fill(products: int) -> str:
    """The statement that makes so many products."""
    return FILL.format(products)


def prepare(url: str) -> None:
    """Make the database, its tables and its products, as far as they are not there."""
    name = str(conninfo.conninfo_to_dict(url)["dbname"])
    with psycopg.connect(conninfo.make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    environment = os.environ | {"DEBUG": "1", "DATABASE_URL": url}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=environment, check=True)
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT count(*) FROM catalog_product").fetchone() != (ROWS,):
            connection.execute("TRUNCATE catalog_product CASCADE")
            connection.execute(fill(ROWS))
            connection.execute("VACUUM ANALYZE catalog_product")


def run(address: str, metadata: Metadata, memory: Callable[[], float]) -> list[str]:
    """Print the figures; returns what was wrong."""
    with grpc.insecure_channel(address) as channel:
        stub = CatalogServiceStub(channel)
        return [*_whole(stub, metadata, memory), *_unread(stub, metadata, memory)]


def _start(stub: CatalogServiceStub, metadata: Metadata) -> Any:
    return stub.StreamProducts(pb.StreamProductsRequest(), metadata=metadata, timeout=300)


def _whole(stub: CatalogServiceStub, metadata: Metadata, memory: Callable[[], float]) -> list[str]:
    before, highest, rows, began = memory(), 0.0, 0, time.perf_counter()
    for number, message in enumerate(_start(stub, metadata)):
        rows += len(message.products)
        if number % 50 == 0:
            highest = max(highest, memory())
    seconds = time.perf_counter() - began
    print(f"a stream of {rows:,} products: {rows / seconds:,.0f} rows/s, {before:.0f} -> at most {highest:.0f} MiB")
    return [] if highest - before < GROWTH and rows == ROWS else ["the whole stream: memory or rows"]


def _unread(stub: CatalogServiceStub, metadata: Metadata, memory: Callable[[], float]) -> list[str]:
    """Ten streams, more than there are threads for them, whose readers take one message at most."""
    before, streams = memory(), [_start(stub, metadata) for _ in range(10)]
    for stream in streams[:4]:
        next(stream)
    time.sleep(3)
    began = time.perf_counter()
    product = stub.ListProducts(pb.ListProductsRequest(page_size=1), metadata=metadata, timeout=5).products[0]
    meanwhile, stuck = (time.perf_counter() - began) * 1000, memory()
    for stream in streams:
        stream.cancel()
    print(f"ten streams that nobody reads: {before:.0f} -> {stuck:.0f} MiB; another call meanwhile: {meanwhile:.0f} ms")
    return [] if stuck - before < GROWTH and product.id else ["unread streams: memory"]
