// urql: its document cache, persisted queries, error codes.
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { test } from "node:test"
import { cacheExchange, Client, fetchExchange, gql } from "@urql/core"
import { persistedExchange } from "@urql/exchange-persisted"
import { GRAPHQL_URL } from "./server.mjs"

const PRODUCTS = gql`
  query Products($after: String) {
    products(first: 3, after: $after) {
      edges { node { id name } }
      pageInfo { endCursor }
    }
  }
`

/** A client, and the bodies it sent. */
function client(...exchanges) {
  const sent = []
  const urql = new Client({
    url: GRAPHQL_URL,
    preferGetMethod: false,
    exchanges: [...exchanges, fetchExchange],
    fetch: (url, options) => {
      sent.push(JSON.parse(options.body))
      return fetch(url, options)
    },
  })
  return { urql, sent }
}

test("pages follow each other, and the cache answers what was asked before", async () => {
  const { urql, sent } = client(cacheExchange)
  const first = (await urql.query(PRODUCTS, {}).toPromise()).data.products
  const second = (await urql.query(PRODUCTS, { after: first.pageInfo.endCursor }).toPromise()).data.products
  const ids = [...first.edges, ...second.edges].map((edge) => edge.node.id)
  assert.equal(new Set(ids).size, 6)
  await urql.query(PRODUCTS, {}).toPromise()
  assert.equal(sent.length, 2)
})

test("a persisted query is sent whole once, then by its hash", async () => {
  const query = `query New${randomUUID().replaceAll("-", "")} { __typename }`
  const { urql, sent } = client(persistedExchange({ preferGetForPersistedQueries: false }))
  for (const _ of [1, 2]) assert.equal((await urql.query(query, {}).toPromise()).data.__typename, "Query")
  assert.deepEqual(sent.map((body) => Boolean(body.query)), [false, true, false])
})

test("errors carry codes, beside the data that could be read", async () => {
  const { urql } = client()
  const { data, error } = await urql.query(gql`{ me { id } product(id: "1") { id } }`, {}).toPromise()
  assert.equal(error.graphQLErrors[0].extensions.code, "NOT_FOUND")
  assert.deepEqual(data, { me: null, product: null })
})
