// Relay: the compiler reads our schema, the server runs only what the compiler wrote, the runtime joins pages.
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { test } from "node:test"
import compiler from "relay-compiler"
import relay from "relay-runtime"
import { post, schemaText, startServer, temporaryFolder } from "./server.mjs"

const { Environment, fetchQuery, getSingularSelector, Network, RecordSource, Store } = relay

// A page as an app writes it: a query, and a fragment that Relay can fetch more of.
const SOURCE = `
graphql\`
  query pageQuery($count: Int!) { me { email } ...page_products @arguments(count: $count) }
\`
graphql\`
  fragment page_products on Query
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" })
  @refetchable(queryName: "pageMoreQuery") {
    products(first: $count, after: $cursor, orderBy: PRICE) @connection(key: "page_products") {
      edges { node { id name price } }
    }
  }
\`
`

const CONFIG = {
  src: ".",
  schema: "schema.graphql",
  language: "javascript",
  artifactDirectory: "generated",
  eagerEsModules: false, // Node can require these as they are; a bundler takes either
  persistConfig: { file: "manifest.json", algorithm: "SHA256" },
}

function compile(folder) {
  writeFileSync(join(folder, "schema.graphql"), schemaText())
  writeFileSync(join(folder, "page.js"), SOURCE)
  writeFileSync(join(folder, "manifest.json"), "{}")
  writeFileSync(join(folder, "relay.config.json"), JSON.stringify(CONFIG))
  mkdirSync(join(folder, "generated"))
  execFileSync(compiler, ["relay.config.json"], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] })
  const artifact = (name) => createRequire(import.meta.url)(join(folder, "generated", `${name}.graphql.js`))
  return { artifact, manifest: JSON.parse(readFileSync(join(folder, "manifest.json"))) }
}

function environment(url, sent) {
  return new Environment({
    network: Network.create(({ id }, variables) => {
      sent.push(id)
      return post(url, { documentId: id, variables })
    }),
    store: new Store(new RecordSource()),
    // Ids are unique within their type only, where Relay takes them to be unique in all the schema.
    getDataID: (node, type) => node.id && `${type}:${node.id}`,
  })
}

test("Relay runs on a server that takes only its documents", async (t) => {
  const folder = temporaryFolder(t)
  const { artifact, manifest } = compile(folder)
  const url = await startServer(t, { GRAPHQL_ALLOWED_DOCUMENTS: join(folder, "manifest.json") })
  const [pageQuery, pageMoreQuery] = [artifact("pageQuery"), artifact("pageMoreQuery")]
  assert.deepEqual(Object.keys(manifest).sort(), [pageQuery.params.id, pageMoreQuery.params.id].sort())

  await t.test("pages are joined in the store", async () => {
    const sent = []
    const app = environment(url, sent)
    const read = (query, variables) => {
      const operation = relay.createOperationDescriptor(query, variables)
      const key = app.lookup(operation.fragment).data
      return app.lookup(getSingularSelector(artifact("page_products"), key)).data.products
    }
    await fetchQuery(app, pageQuery, { count: 3 }).toPromise()
    const { endCursor: cursor, hasNextPage } = read(pageQuery, { count: 3 }).pageInfo
    assert.equal(hasNextPage, true)
    await fetchQuery(app, pageMoreQuery, { count: 3, cursor }).toPromise()
    const prices = read(pageQuery, { count: 3 }).edges.map(({ node }) => Number(node.price))
    assert.equal(prices.length, 6)
    assert.deepEqual(prices, [...prices].sort((a, b) => a - b))
    assert.deepEqual(sent, [pageQuery.params.id, pageMoreQuery.params.id])
  })

  await t.test("nothing else runs", async () => {
    for (const body of [{ query: "{ __typename }" }, { documentId: "0".repeat(64) }]) {
      const { status, errors } = await post(url, body)
      assert.equal(status, 400)
      assert.equal(errors[0].extensions.code, "PERSISTED_QUERY_NOT_FOUND")
    }
  })
})
