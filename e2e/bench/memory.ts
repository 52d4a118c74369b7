// An hour of live updates in minutes: corrections of prices are committed one after the other, up to ten times a second
// instead of each second, and what the browser's memory does meanwhile, on a page of twelve tiles.   npm run bench:memory
//
//   COMMITS   how many, 3,600 by default      PAGE   the page that is open
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import { chromiumOptions, namesOfFunctions } from "../chromium";
import { startDemo } from "../server";
import { report } from "./report";

const COMMITS = Number(process.env.COMMITS ?? 3_600);
const PAGE = process.env.PAGE ?? "/dashboards/market";
/** What is filled at first, such as caches of code and fonts, is no growth. */
const WARM_UP = Math.round(COMMITS / 20);
const settings = join(mkdtempSync(join(tmpdir(), "tidemark-bench-")), "settings.toml");
writeFileSync(settings, "epoch_interval_ms = 100\n");
const server = await startDemo(["--config", settings]);

interface Price {
  instrument_id: string;
  close: string;
  day: string;
  next_day: string;
}

/** Prices of the last days that have them, to be corrected. */
async function lastPrices(): Promise<Price[]> {
  const sql = `SELECT instrument_id, close, CAST(CAST(valid_from AS DATE) AS VARCHAR) AS day,
    CAST(CAST(valid_to AS DATE) AS VARCHAR) AS next_day
    FROM prices WHERE valid_to IS NOT NULL ORDER BY valid_from DESC, instrument_id LIMIT 50`;
  const ask = (): Promise<Response> =>
    fetch(`${server.url}/api/v1/sql`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ sql }),
    });
  let answer = await ask();
  // While the demo's history is imported it cannot be asked.
  for (; answer.status === 409; answer = await ask()) await new Promise((wake) => setTimeout(wake, 200));
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as Price[];
}

/** Commits corrections until it is told to stop. */
async function correct(stopped: () => boolean): Promise<void> {
  const prices = await lastPrices();
  for (let round = 1; !stopped(); round += 1) {
    const { instrument_id, day: valid_from, next_day: valid_to, ...price } = prices[round % prices.length]!;
    const close = (Number(price.close) + (round % 200) / 100).toFixed(4);
    const event = JSON.stringify({ op: "put", instrument_id, close, valid_from, valid_to });
    const address = `${server.url}/api/v1/datasets/prices/events?wait=committed`;
    const answer = await fetch(address, { method: "POST", body: event });
    const taken = (await answer.json()) as { accepted?: number };
    if (taken.accepted !== 1) throw new Error(`a correction was not taken: ${JSON.stringify(taken)}`);
  }
}

let enough = false;
const corrections = correct(() => enough);
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
  report(
    {
      benchmark: "memory",
      page: PAGE,
      commits: COMMITS,
      answers,
      before,
      after,
      growth: (after.heap + after.wasm) / (before.heap + before.wasm) - 1,
    },
    { growth: { atMost: 0.1 } },
  );
} finally {
  enough = true;
  await corrections;
  await browser.close();
  await server.stop();
}
