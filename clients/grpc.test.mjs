// grpc-js: by the proto files and by reflection; lists, streams, deadlines, error details, health, tokens.
import assert from "node:assert/strict"
import { join } from "node:path"
import { after, test } from "node:test"
import { promisify } from "node:util"
import grpc from "@grpc/grpc-js"
import protoLoader from "@grpc/proto-loader"
import gax from "google-gax"
import { protoPath as healthProto } from "grpc-health-check"
import { GrpcReflection } from "grpc-js-reflection-client"
import { GRPC_ADDRESS, GRPC_TOKEN, ROOT } from "./server.mjs"

const { status } = grpc
const COMMON_PROTOS = join(import.meta.dirname, "node_modules/google-gax/build/protos") // google/type/money.proto
const OPTIONS = { longs: String, enums: String, defaults: true, keepCase: true, includeDirs: [ROOT, COMMON_PROTOS] }
const insecure = grpc.credentials.createInsecure()
const opened = []
after(() => opened.forEach((client) => client.close()))

/** A client of a service, each of whose unary methods returns a promise. */
function connect(definitions, service) {
  const Client = service.split(".").reduce((at, name) => at[name], definitions)
  const client = new Client(GRPC_ADDRESS, insecure)
  opened.push(client)
  const unary = Object.entries(Client.service).filter(([, method]) => !method.responseStream)
  const promises = unary.map(([name]) => [name, promisify(client[name]).bind(client)])
  return Object.assign(Object.create(client), Object.fromEntries(promises))
}

const load = (file) => grpc.loadPackageDefinition(protoLoader.loadSync(file, OPTIONS))
const catalog = connect(load("protos/catalog/v1/catalog.proto"), "catalog.v1.CatalogService")
const health = connect(load(healthProto), "grpc.health.v1.Health")

function withToken(token = GRPC_TOKEN) {
  const metadata = new grpc.Metadata()
  metadata.set("authorization", `Bearer ${token}`)
  return metadata
}

/** The error a call ends with, its google.rpc details decoded into `reason`, `domain` and `statusDetails`. */
const errorOf = (promise) =>
  promise.then(() => assert.fail("no error"), (error) => gax.GoogleError.parseGRPCStatusDetails(error))

async function collect(stream) {
  const messages = []
  for await (const message of stream) messages.push(message)
  return messages
}

test("lists page by page, and gets one", async () => {
  const first = await catalog.ListProducts({ page_size: 3, order_by: "PRODUCT_ORDER_CREATED" }, withToken())
  const request = { page_size: 3, order_by: "PRODUCT_ORDER_CREATED", page_token: first.next_page_token }
  const second = await catalog.ListProducts(request, withToken())
  const products = [...first.products, ...second.products]
  assert.equal(new Set(products.map(({ id }) => id)).size, 6)

  const { product } = await catalog.GetProduct({ product_id: products[0].id }, withToken())
  assert.deepEqual(product, products[0])
  assert.match(product.id, /^\d+$/) // with longs: String, as 64 bits do not fit into a number
  assert.equal(product.price.currency_code, "EUR")
})

test("streams all products in chunks", async () => {
  const { total } = await catalog.CountProducts({}, withToken())
  const chunks = await collect(catalog.StreamProducts({}, withToken()))
  const ids = chunks.flatMap(({ products }) => products.map(({ id }) => id))
  assert.equal(new Set(ids).size, ids.length)
  assert.ok(ids.length >= total) // the stream has the archived ones too
})

test("reflection is enough to call", async () => {
  const server = new GrpcReflection(GRPC_ADDRESS, insecure)
  assert.ok((await server.listServices()).includes("catalog.v1.CatalogService"))
  const described = await server.getDescriptorBySymbol("catalog.v1.CatalogService")
  const reflected = connect(described.getPackageObject(OPTIONS), "catalog.v1.CatalogService")
  const { products } = await reflected.ListProducts({ page_size: 1 }, withToken())
  assert.equal(products.length, 1)
})

test("a deadline that has passed ends the call, one that has not does no harm", async () => {
  const call = (deadline) => catalog.ListProducts({ page_size: 1 }, withToken(), { deadline })
  assert.equal((await errorOf(call(Date.now() - 1))).code, status.DEADLINE_EXCEEDED)
  assert.equal((await call(Date.now() + 60_000)).products.length, 1)
})

test("errors say why, for programs", async () => {
  const missing = await errorOf(catalog.GetProduct({ product_id: 1 }, withToken()))
  assert.equal(missing.code, status.NOT_FOUND)
  assert.equal(missing.domain, "catalog")
  assert.equal(missing.reason, "PRODUCT_NOT_FOUND")

  const invalid = await errorOf(catalog.ListProducts({ page_size: -1 }, withToken()))
  assert.equal(invalid.code, status.INVALID_ARGUMENT)
  const violations = invalid.statusDetails.flatMap((detail) => detail.fieldViolations ?? [])
  assert.deepEqual(violations.map(({ field }) => field), ["page_size"])
  assert.ok(violations[0].description)
})

test("without a valid token nothing is answered", async () => {
  const missing = await errorOf(catalog.ListProducts({}, new grpc.Metadata()))
  const wrong = await errorOf(catalog.ListProducts({}, withToken("wrong")))
  assert.equal(missing.code, status.UNAUTHENTICATED)
  assert.equal(wrong.code, status.UNAUTHENTICATED)
  assert.equal(wrong.reason, "TOKEN_INVALID")
  const stream = await errorOf(collect(catalog.StreamProducts({}, withToken("wrong"))))
  assert.equal(stream.code, status.UNAUTHENTICATED)
})

test("a product is created and changed, and a stale change is refused", async () => {
  const price = { currency_code: "EUR", units: "19", nanos: 900_000_000 }
  const draft = { sku: `GRPC-${Date.now()}`, name: "gRPC Chair", price, stock: 3 }
  const { product } = await catalog.CreateProduct({ product: draft }, withToken())
  assert.deepEqual(product.price, price)

  const change = { product: { ...product, stock: 2 }, update_mask: { paths: ["stock"] }, version: product.version }
  const updated = (await catalog.UpdateProduct(change, withToken())).product
  assert.equal(updated.stock, 2)
  assert.equal((await errorOf(catalog.UpdateProduct(change, withToken()))).code, status.ABORTED)
  const archived = await catalog.ArchiveProduct({ product_id: updated.id, version: updated.version }, withToken())
  assert.equal(archived.product.is_active, false)
})

test("health can be checked and watched", async () => {
  assert.equal((await health.Check({ service: "catalog.v1.CatalogService" })).status, "SERVING")
  assert.equal((await errorOf(health.Check({ service: "none" }))).code, status.NOT_FOUND)
  const watch = health.Watch({ service: "" })
  const cancelled = await errorOf(watchUntilServing(watch))
  assert.equal(cancelled.code, status.CANCELLED)
})

async function watchUntilServing(watch) {
  for await (const answer of watch) if (answer.status === "SERVING") watch.cancel()
}
