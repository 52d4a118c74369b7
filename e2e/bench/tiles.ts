// A page of twelve tiles over 20 million versions: first paint, all tiles cold, and again under the same token.
//   tidemark bench asof --keep; DATA=tidemark-bench-asof npm run bench:tiles
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import type { Page } from "@playwright/test";
import { chromiumOptions, namesOfFunctions } from "../chromium";
import { startDemo } from "../server";
import { report } from "./report";

const RUNS = Number(process.env.RUNS ?? 5);
const data = process.env.DATA;
if (!data) throw new Error("DATA names the folder that `tidemark bench asof --keep` has left");
const dashboards = join(fileURLToPath(import.meta.url), "../dashboards");
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

interface Times {
  first_paint_millis: number;
  tiles_millis: number;
  tiles: number;
  snapshots: number;
}

/** From the navigation to the first paint, and to the last tile that is ready. */
async function visit(page: Page, address: string): Promise<Times> {
  const snapshots = new Set<string>();
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.pathname === "/api/v1/sql") snapshots.add(url.searchParams.get("snapshot") ?? "none");
  });
  await page.goto(address);
  const seen = await page.evaluate(async () => {
    const tiles = () => [...document.querySelectorAll("[data-testid^=tile-]")];
    const isReady = () => tiles().length > 0 && tiles().every((tile) => tile.getAttribute("data-state") === "ready");
    while (!isReady()) {
      if (performance.now() > 30_000) throw new Error(tiles().map((tile) => tile.textContent).join("\n"));
      await new Promise(requestAnimationFrame);
    }
    const paint = performance.getEntriesByType("paint").find(({ name }) => name === "first-contentful-paint");
    return { first_paint_millis: paint?.startTime ?? NaN, tiles_millis: performance.now(), tiles: tiles().length };
  });
  page.removeAllListeners("request");
  return { ...seen, snapshots: snapshots.size };
}

const browser = await chromium.launch(chromiumOptions);
const cold: Times[] = [];
const again: Times[] = [];
try {
  for (let run = 0; run < RUNS; run += 1) {
    // A server that has read nothing, a browser that has kept nothing.
    const server = await startDemo(["--no-upkeep", "--dashboards", dashboards], data);
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    try {
      await context.addInitScript(namesOfFunctions);
      const page = await context.newPage();
      const address = `${server.url}/dashboards/twelve?from=2024-01-01&to=2024-02-18`;
      cold.push(await visit(page, address));
      again.push(await visit(page, address));
    } finally {
      await context.close();
      await server.stop();
    }
  }
  const middle = (of: Times[], name: keyof Times): number => Math.round(median(of.map((times) => times[name])));
  report(
    {
      benchmark: "tiles",
      runs: RUNS,
      tiles: middle(cold, "tiles"),
      snapshots: Math.max(...cold.map(({ snapshots }) => snapshots)),
      first_paint_cold_millis: middle(cold, "first_paint_millis"),
      tiles_cold_millis: middle(cold, "tiles_millis"),
      first_paint_again_millis: middle(again, "first_paint_millis"),
      tiles_again_millis: middle(again, "tiles_millis"),
    },
    {
      tiles: { atLeast: 12 },
      snapshots: { atMost: 1 },
      first_paint_cold_millis: { atMost: 500 },
      tiles_cold_millis: { atMost: 2_000 },
      tiles_again_millis: { atMost: 300 },
    },
  );
} finally {
  await browser.close();
}
