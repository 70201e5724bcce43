// Where the running system is, and how to start a second web server with other settings.
import { execFile, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

export const ROOT = join(import.meta.dirname, "..")
export const GRAPHQL_URL = process.env.GRAPHQL_URL ?? "http://127.0.0.1:8000/graphql"
export const GRPC_ADDRESS = process.env.GRPC_ADDRESS ?? "127.0.0.1:50051"
export const GRPC_TOKEN = process.env.GRPC_TOKEN ?? "development-token"

export const schemaText = () => readFileSync(join(ROOT, "project", "schema.graphql"), "utf8")

/** One request as any HTTP client sends it: the status, the headers and the JSON of the answer. */
export async function post(url, body, headers = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/graphql-response+json", ...headers },
    body: JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, ...(await response.json()) }
}

/** A folder that is removed when the test `t` ends. */
export function temporaryFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), "clients-"))
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/** Starts a web server of its own, with the demo data in a database of its own, until the test `t` ends. */
export async function startServer(t, variables) {
  const venv = join(ROOT, ".venv", "bin", "python")
  const python = existsSync(venv) ? venv : "python3"
  const port = await freePort()
  let server
  t.after(() => server && stop(server)) // before the folder made next is removed
  const place = { DEBUG: "1", DATABASE_URL: "", DATA_DIR: temporaryFolder(t), PORT: `${port}`, WEB_WORKERS: "1" }
  const options = { cwd: ROOT, env: { ...process.env, ...place, ...variables } }
  await promisify(execFile)(python, ["manage.py", "migrate", "--verbosity=0"], options)
  await promisify(execFile)(python, ["manage.py", "seed"], options)
  const words = ["-m", "gunicorn", "-c", "python:project.gunicorn", "project.wsgi"]
  server = spawn(python, words, { ...options, stdio: "ignore" })
  const url = `http://127.0.0.1:${port}/graphql`
  await answers(url, server)
  return url
}

function stop(server) {
  return new Promise((resolve) => {
    server.once("exit", resolve)
    if (server.exitCode !== null || !server.kill("SIGTERM")) resolve()
  })
}

async function answers(url, server) {
  while (server.exitCode === null) {
    try {
      return await fetch(url, { method: "POST" })
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  throw new Error(`the server at ${url} ended with exit code ${server.exitCode}`)
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}
