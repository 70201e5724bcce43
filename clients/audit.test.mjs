// The GraphQL over HTTP specification, as its authors check it: each of their audits is one test.
import assert from "node:assert/strict"
import { test } from "node:test"
import { serverAudits } from "graphql-http"
import { GRAPHQL_URL } from "./server.mjs"

const audits = serverAudits({ url: GRAPHQL_URL, fetchFn: fetch })

test("the audits are the ones we know", () => {
  const counts = { MUST: 0, SHOULD: 0, MAY: 0 }
  for (const { name } of audits) counts[name.split(" ")[0]] += 1
  assert.deepEqual(counts, { MUST: 13, SHOULD: 23, MAY: 25 })
})

for (const audit of audits) {
  test(`${audit.id} ${audit.name}`, async () => {
    const { status, reason } = await audit.fn()
    assert.equal(status, "ok", reason) // what the specification only allows, we do too
  })
}
