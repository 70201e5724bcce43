// What the audits leave out: details of HTTP that some client, proxy or browser depends on.
import assert from "node:assert/strict"
import { test } from "node:test"
import { GRAPHQL_URL } from "./server.mjs"

const QUERY = "?query={__typename}"
const get = (search, accept) => fetch(GRAPHQL_URL + search, { headers: { accept } })

test("a media type may be asked for with its charset", async () => {
  for (const charset of ["utf-8", "UTF-8"]) {
    const response = await get(QUERY, `application/graphql-response+json; charset=${charset}`)
    assert.match(response.headers.get("content-type"), /^application\/graphql-response\+json/)
  }
})

test("what is not JSON is refused with the reason", async () => {
  const page = await get(QUERY, "text/csv")
  assert.equal(page.status, 406)
  assert.match((await page.json()).errors[0].message, /application\/json/)
  const form = await fetch(GRAPHQL_URL, { method: "POST", body: new URLSearchParams({ query: "{ __typename }" }) })
  assert.equal(form.status, 415)
})

test("parameters of a URL may be empty", async () => {
  assert.deepEqual((await (await get(`${QUERY}&operationName=&variables=`, "*/*")).json()).data, { __typename: "Query" })
})

test("only a browser is shown a page", async () => {
  assert.equal((await get("", "*/*")).status, 400)
})

test("a body without its length is refused, as it would be read as an empty one", async () => {
  const body = new Blob(['{"query": "{ __typename }"}']).stream()
  const headers = { "content-type": "application/json" }
  assert.equal((await fetch(GRAPHQL_URL, { method: "POST", headers, body, duplex: "half" })).status, 411)
})

test("answers are kept by no cache", async () => {
  assert.equal((await get("?query={csrfToken}", "application/json")).headers.get("cache-control"), "no-store")
})

test("a batch is refused", async () => {
  const headers = { "content-type": "application/json" }
  const response = await fetch(GRAPHQL_URL, { method: "POST", headers, body: '[{"query": "{ __typename }"}]' })
  assert.equal(response.status, 400)
})
