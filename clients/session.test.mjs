// What a single-page app does: log in over /accounts, then me -> create -> update over GraphQL, with plain fetch.
import assert from "node:assert/strict"
import { test } from "node:test"
import { GRAPHQL_URL } from "./server.mjs"

const ADMIN = { email: "admin@example.com", password: "admin-demo-password" } // apps/accounts/demo.py

/** A client with its own cookies, as a browser keeps them for a page. */
function browser() {
  const jar = new Map()
  let token
  const send = async (url, options) => {
    const headers = {
      accept: "application/graphql-response+json",
      cookie: [...jar].map((pair) => pair.join("=")).join("; "),
      ...options.headers,
    }
    const response = await fetch(url, { ...options, headers })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/)
      if (/max-age=0/i.test(cookie)) jar.delete(name)
      else jar.set(name, value)
    }
    return response.json()
  }
  return {
    ask: (query, variables) =>
      send(GRAPHQL_URL, {
        method: "POST",
        headers: { "content-type": "application/json", ...(token && { "x-csrftoken": token }) },
        body: JSON.stringify({ query, variables }),
      }),
    // By GET, which needs no token: a page that was reloaded still has its cookies, but has lost the token.
    // Logging in changes the token, so it is fetched again afterwards.
    fetchToken: async () => {
      token = (await send(`${GRAPHQL_URL}?query={csrfToken}`, {})).data.csrfToken
    },
    forgetToken: () => (token = undefined),
    /** A request of docs/accounts.md. */
    accounts: (method, path, body) =>
      send(new URL(`/accounts/browser/v1${path}`, GRAPHQL_URL), {
        method,
        headers: { "content-type": "application/json", ...(token && { "x-csrftoken": token }) },
        body: body && JSON.stringify(body),
      }),
  }
}

async function loggedIn() {
  const page = browser()
  await page.fetchToken()
  const { data } = await page.accounts("POST", "/auth/login", ADMIN)
  await page.fetchToken()
  return { page, user: data.user }
}

const CREATE = `mutation ($input: CreateProductInput!) {
  createProduct(input: $input) { product { id sku price stock version } }
}`
const UPDATE = `mutation ($id: ID!, $version: Int!, $input: UpdateProductInput!) {
  updateProduct(id: $id, version: $version, input: $input) { product { stock version } }
}`
const ARCHIVE = `mutation ($id: ID!, $version: Int!) {
  archiveProduct(id: $id, version: $version) { product { isActive } }
}`

test("staff log in, create a product, change it, and are told when somebody else was faster", async () => {
  const { page, user } = await loggedIn()
  const { me } = (await page.ask("{ me { id email isStaff } }")).data
  assert.deepEqual(me, { id: user.id, email: ADMIN.email, isStaff: true })

  const input = { sku: `NODE-${Date.now()}`, name: "Node Chair", price: "19.90", stock: 3 }
  const created = (await page.ask(CREATE, { input })).data.createProduct.product
  assert.equal(created.price, "19.90") // decimals are text: exact
  assert.match(created.id, /^\d+$/) // ids are text: 64 bits do not fit into a JavaScript number

  const { id, version } = created
  const updated = await page.ask(UPDATE, { id, version, input: { stock: 2 } })
  assert.equal(updated.data.updateProduct.product.stock, 2)

  const stale = await page.ask(UPDATE, { id, version, input: { stock: 9 } })
  assert.equal(stale.errors[0].extensions.code, "CONFLICT")
  assert.ok(stale.extensions.requestId)

  const latest = (await page.ask("query ($id: ID!) { product(id: $id) { stock version } }", { id })).data.product
  assert.equal(latest.stock, 2)
  const archived = await page.ask(ARCHIVE, { id, version: latest.version })
  assert.equal(archived.data.archiveProduct.product.isActive, false)
})

test("field errors say which field", async () => {
  const { page } = await loggedIn()
  const { errors } = await page.ask(CREATE, { input: { sku: "", name: "Node Chair", price: "-1" } })
  assert.equal(errors[0].extensions.code, "BAD_USER_INPUT")
  assert.deepEqual(Object.keys(errors[0].extensions.fields).sort(), ["price", "sku"])
})

test("a session does nothing without its token", async () => {
  const { page } = await loggedIn()
  page.forgetToken()
  const { errors } = await page.ask("{ me { email } }")
  assert.equal(errors[0].extensions.code, "FORBIDDEN")
  await page.fetchToken()
  assert.equal((await page.ask("{ me { email } }")).data.me.email, ADMIN.email)
})

test("logging out ends the session", async () => {
  const { page } = await loggedIn()
  assert.equal((await page.accounts("DELETE", "/auth/session")).meta.is_authenticated, false)
  assert.equal((await page.ask("{ me { email } }")).data.me, null)
})

test("nobody may create products", async () => {
  const { data, errors } = await browser().ask(CREATE, { input: { sku: "N", name: "N", price: "1" } })
  assert.equal(data.createProduct, null)
  assert.equal(errors[0].extensions.code, "UNAUTHENTICATED")
})
