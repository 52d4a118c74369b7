// A demo server of its own for a run of tests: `tidemark serve --demo` on a free port over an empty folder.
//
//   TIDEMARK_BIN, TIDEMARK_SITE, TIDEMARK_STYLE   what to start and what it serves; default: the checkout's ./target
//   TIDEMARK_URL                                  a server that runs already; then none is started
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const READY_WITHIN_MS = 120_000;
const root = resolve(fileURLToPath(import.meta.url), "../..");

/** The program that is tested. */
export const binary = process.env.TIDEMARK_BIN ?? join(root, "target/release/tidemark");

export interface DemoServer {
  url: string;
  stop(): Promise<void>;
}

/** `settings` are further arguments of `tidemark serve`, `data` a folder to serve instead of a demo of its own. */
export async function startDemo(settings: string[] = [], kept?: string): Promise<DemoServer> {
  const running = process.env.TIDEMARK_URL;
  if (running) return { url: running.replace(/\/$/, ""), stop: async () => {} };
  return start((data) => (kept ? ["--data", kept] : ["--demo", "--data", join(data, "lake")]), settings);
}

/** A server of its own over an empty lake, whatever runs already. */
export async function startEmpty(settings: string[] = []): Promise<DemoServer> {
  return start((data) => ["--data", join(data, "lake")], settings);
}

async function start(what: (folder: string) => string[], settings: string[]): Promise<DemoServer> {
  const data = mkdtempSync(join(tmpdir(), "tidemark-e2e-"));
  const log = join(data, "server.log");
  const address = `127.0.0.1:${await freePort()}`;
  const site = process.env.TIDEMARK_SITE ?? join(root, "target/site");
  const style = process.env.TIDEMARK_STYLE ?? join(root, "style");
  const options = ["serve", ...what(data), "--listen", address, "--site", site, "--style", style, ...settings];
  const out = openSync(log, "a");
  const server = spawn(binary, options, { stdio: ["ignore", out, out] });
  closeSync(out);

  let ended: string | undefined;
  server.on("error", (error) => (ended = `did not start: ${error.message}`));
  server.on("exit", (code, signal) => (ended ??= `ended with ${code ?? signal}`));
  const fail = (reason: string): never => {
    const tail = readFileSync(log, "utf8").split("\n").slice(-40).join("\n");
    server.kill("SIGKILL");
    throw new Error(`${binary} ${reason}; the end of its log:\n${tail}`);
  };

  const url = `http://${address}`;
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await isReady(url))) {
    if (ended) fail(ended);
    if (Date.now() > deadline) fail(`was not ready within ${READY_WITHIN_MS / 1000} s`);
    await new Promise((wake) => setTimeout(wake, 100));
  }
  return {
    url,
    async stop() {
      if (!ended) {
        server.kill("SIGTERM");
        const hard = setTimeout(() => server.kill("SIGKILL"), 10_000);
        await new Promise((done) => server.once("exit", done));
        clearTimeout(hard);
      }
      rmSync(data, { recursive: true, force: true });
    },
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const probe = createServer().once("error", failed);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => found(port));
    });
  });
}
