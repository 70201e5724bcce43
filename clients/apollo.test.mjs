// Apollo Client: persisted queries, normalized cache, pages that are joined, error codes.
import assert from "node:assert/strict"
import { createHash, randomUUID } from "node:crypto"
import { test } from "node:test"
import { ApolloClient, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from "@apollo/client/core"
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries"
import { relayStylePagination } from "@apollo/client/utilities"
import { filter, firstValueFrom } from "rxjs"
import { GRAPHQL_URL } from "./server.mjs"

const PRODUCTS = gql`
  query Products($first: Int!, $after: String) {
    products(first: $first, after: $after, orderBy: CREATED) {
      edges { cursor node { id name price } }
      pageInfo { endCursor hasNextPage }
    }
  }
`
const PRODUCT = gql`query Product($id: ID!) { product(id: $id) { id name } }`

/** A client, and what it sent over the wire. */
function client({ persisted } = {}) {
  const sent = []
  const http = new HttpLink({
    uri: GRAPHQL_URL,
    fetch: async (url, options) => {
      const response = await fetch(url, options)
      sent.push({ method: options.method, body: options.body && JSON.parse(options.body), status: response.status, url })
      return response
    },
  })
  const link = persisted ? new PersistedQueryLink({ sha256, ...persisted }).concat(http) : http
  const typePolicies = { Query: { fields: { products: relayStylePagination(["search", "orderBy"]) } } }
  return { sent, apollo: new ApolloClient({ link, cache: new InMemoryCache({ typePolicies }) }) }
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex")

async function codeOf(promise) {
  const error = await promise.then(() => assert.fail("no error"), (error) => error)
  assert.ok(CombinedGraphQLErrors.is(error), error)
  return error.errors[0].extensions.code
}

test("pages are joined in the cache, and objects are shared by their id", async () => {
  const { apollo, sent } = client()
  const page = apollo.watchQuery({ query: PRODUCTS, variables: { first: 3 } })
  const { data } = await firstValueFrom(page.pipe(filter((result) => !result.loading)))
  await page.fetchMore({ variables: { after: data.products.pageInfo.endCursor } })
  const joined = apollo.readQuery({ query: PRODUCTS, variables: { first: 3 } }).products.edges
  const ids = joined.map((edge) => edge.node.id)
  assert.equal(new Set(ids).size, 6)
  assert.deepEqual(ids, [...ids].sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1))) // ids grow with time

  const { id, name } = joined[4].node
  const known = apollo.readFragment({ id: `Product:${id}`, fragment: gql`fragment P on Product { name }` })
  assert.equal(known.name, name)
  assert.equal(sent.length, 2)
})

test("a persisted query is sent whole once, then by its hash", async () => {
  const query = gql`query ${"New" + randomUUID().replaceAll("-", "")} { __typename csrfToken }`
  const { apollo, sent } = client({ persisted: {} })
  await apollo.query({ query, fetchPolicy: "no-cache" })
  await apollo.query({ query, fetchPolicy: "no-cache" })
  assert.deepEqual(sent.map(({ body }) => "query" in body), [false, true, false])
  assert.equal(sent[2].status, 200)
})

test("hashes travel by GET too", async () => {
  const { apollo, sent } = client({ persisted: { useGETForHashedQueries: true } })
  await apollo.query({ query: PRODUCTS, variables: { first: 1 }, fetchPolicy: "no-cache" })
  await apollo.query({ query: PRODUCTS, variables: { first: 2 }, fetchPolicy: "no-cache" })
  assert.equal(sent[0].method, "GET")
  assert.equal(sent.at(-1).method, "GET")
  assert.equal(sent.at(-1).status, 200)
})

test("errors carry codes", async () => {
  const { apollo } = client()
  const product = (id) => apollo.query({ query: PRODUCT, variables: { id } })
  assert.equal(await codeOf(product("1")), "NOT_FOUND")
  assert.equal(await codeOf(product("x")), "BAD_USER_INPUT")
  assert.equal(await codeOf(apollo.query({ query: gql`{ nonsense }` })), "GRAPHQL_VALIDATION_FAILED")
  assert.equal(await codeOf(apollo.query({ query: PRODUCTS, variables: { first: 1_000 } })), "BAD_USER_INPUT")
  const archive = gql`mutation { archiveProduct(id: "1", version: 1) { product { id } } }`
  assert.equal(await codeOf(apollo.mutate({ mutation: archive })), "UNAUTHENTICATED")
})
