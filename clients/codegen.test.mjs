// graphql-codegen's client preset: types for TypeScript, and a manifest that the server takes.
import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { test } from "node:test"
import { preset } from "@graphql-codegen/client-preset"
import { codegen } from "@graphql-codegen/core"
import { buildSchema, parse } from "graphql"
import { post, schemaText, startServer, temporaryFolder } from "./server.mjs"

const SOURCE = `
  query Cheapest($first: Int!) {
    products(first: $first, orderBy: PRICE) { edges { node { id price createdAt } } }
  }
`

/** What `graphql-codegen` writes with `preset: "client"`: the text of each file. Its CLI adds only the reading. */
async function generate() {
  const sections = await preset.buildGeneratesSection({
    baseOutputDir: "generated/",
    schema: parse(schemaText()),
    schemaAst: buildSchema(schemaText()),
    documents: [{ location: "cheapest.graphql", rawSDL: SOURCE, document: parse(SOURCE) }],
    config: { scalars: { DateTime: "string", Decimal: "string" }, strictScalars: true },
    presetConfig: { persistedDocuments: true },
    pluginContext: {},
    plugins: [],
    pluginMap: {},
    profiler: { run: (work) => work() },
  })
  const files = sections.map(async (section) => [basename(section.filename), await codegen(section)])
  return Object.fromEntries(await Promise.all(files))
}

test("codegen types our schema, and the server runs its manifest only", async (t) => {
  const files = await generate()
  assert.match(files["graphql.ts"], /CheapestQueryVariables = Exact<\{\s*first: number;?\s*\}>/)
  assert.match(files["graphql.ts"], /id: string, price: string, createdAt: string/)

  const manifest = join(temporaryFolder(t), "manifest.json")
  writeFileSync(manifest, files["persisted-documents.json"])
  const [documentId] = Object.keys(JSON.parse(files["persisted-documents.json"]))
  assert.match(documentId, /^sha256:[0-9a-f]{64}$/)

  const url = await startServer(t, { GRAPHQL_ALLOWED_DOCUMENTS: manifest })
  const { data } = await post(url, { documentId, variables: { first: 2 } })
  assert.equal(data.products.edges.length, 2)
  const { errors } = await post(url, { query: "{ me { id } }" })
  assert.equal(errors[0].extensions.code, "PERSISTED_QUERY_NOT_FOUND")
})
