// An hour of live updates in minutes: a commit ten times a second instead of each second, and what the browser's memory
// does meanwhile, on a page of twelve tiles.   npm run bench:memory
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import { chromiumOptions, namesOfFunctions } from "../chromium";
import { startDemo } from "../server";

const COMMITS = Number(process.env.COMMITS ?? 3_600);
const PAGE = process.env.PAGE ?? "/dashboards/market";
/** What is filled at first, such as caches of code and fonts, is no growth. */
const WARM_UP = Math.round(COMMITS / 20);
const settings = join(mkdtempSync(join(tmpdir(), "tidemark-bench-")), "settings.toml");
writeFileSync(settings, "epoch_interval_ms = 100\n");
const server = await startDemo(["--config", settings, "--demo-rate", "400"]);
const browser = await chromium.launch(chromiumOptions);
try {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  await page.addInitScript(namesOfFunctions);
  const session = await page.context().newCDPSession(page);
  const epoch = async (): Promise<number> => Number(await page.getByTestId("live-status").getAttribute("data-epoch"));
  const memory = async (): Promise<{ heap: number; wasm: number; nodes: number }> => {
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = (await session.send("Runtime.getHeapUsage")) as { usedSize: number };
    const { nodes } = (await session.send("Memory.getDOMCounters")) as { nodes: number };
    const wasm = await page.evaluate(async () => {
      // Initialised already, it only gives what it exports.
      const module = (await import("/pkg/tidemark.js" as string)) as { initSync(): { memory: WebAssembly.Memory } };
      return module.initSync().memory.buffer.byteLength;
    });
    return { heap: usedSize, wasm, nodes };
  };
  await page.goto(`${server.url}${PAGE}`);
  await page.waitForSelector("[data-connection=live]");
  let answers = 0;
  page.on("response", (response) => {
    if (response.url().includes("/api/v1/sql") && response.ok()) answers += 1;
  });
  const start = await epoch();
  const reached = async (commits: number): Promise<void> => {
    while ((await epoch()) < start + commits) await page.waitForTimeout(1_000);
  };
  await reached(WARM_UP);
  const before = await memory();
  await reached(WARM_UP + COMMITS);
  const after = await memory();
  console.log(
    JSON.stringify({
      benchmark: "memory",
      page: PAGE,
      commits: COMMITS,
      answers,
      before,
      after,
      growth: (after.heap + after.wasm) / (before.heap + before.wasm) - 1,
    }),
  );
} finally {
  await browser.close();
  await server.stop();
}
