// From the bytes of an Arrow stream of a million rows to a drawn line: Tidemark's page beside apache-arrow (npm) decoding and
// uPlot (npm) drawing the same bytes, in the same browser.   npm run bench:million
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import type { Page } from "@playwright/test";
import { chromiumOptions, keepSpans, namesOfFunctions } from "../chromium";
import { startDemo } from "../server";
import { report } from "./report";

const RUNS = Number(process.env.RUNS ?? 7);
const packages = join(fileURLToPath(import.meta.url), "../../node_modules");
const dashboards = join(fileURLToPath(import.meta.url), "../dashboards");
const packageFile = (name: string, file: string) => join(packages, name, file);
const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

const SQL =
  "SELECT instant AS at, sin(extract(epoch FROM instant) / 20000) * 10 AS a, cos(extract(epoch FROM instant) / 31000) * 8 AS b " +
  "FROM instants(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-12 13:46:40', INTERVAL '1 second')";

interface Ours {
  spans: Record<string, number>;
  width: number;
  height: number;
}

/** Spans of Tidemark's page with the chart of a million rows alone, in milliseconds, and the size of its picture. */
async function tidemark(page: Page, url: string): Promise<Ours> {
  await page.goto(`${url}/dashboards/million`);
  await page.waitForFunction(() => document.querySelector("[data-testid=tile-million]")?.getAttribute("data-state") === "ready", undefined, { timeout: 60_000 });
  // Observers are told a little later.
  await page.waitForTimeout(500);
  return page.evaluate(() => {
    const { spans } = window as unknown as { spans: Record<string, number[]> };
    const longest = (name: string) => {
      if (!spans[name]) throw new Error(`nothing was measured as ${name}`);
      return Math.max(...spans[name]);
    };
    const names = ["decode", "bind", "place", "draw"];
    const { width, height } = document.querySelector("[data-testid=chart-million] canvas")!.getBoundingClientRect();
    return { spans: Object.fromEntries(names.map((name) => [name, longest(`tidemark:${name}`)])), width, height };
  });
}

/** The same by apache-arrow and uPlot, on a canvas of the same size. */
async function rivals(page: Page, url: string, width: number, height: number): Promise<{ decode: number; draw: number }> {
  await page.goto(`${url}/healthz`);
  await page.setContent(`<style>${readFileSync(packageFile("uplot", "dist/uPlot.min.css"), "utf8")}</style><div id="chart"></div>`);
  await page.addScriptTag({ path: packageFile("apache-arrow", "Arrow.es2015.min.js") });
  await page.addScriptTag({ path: packageFile("uplot", "dist/uPlot.iife.min.js") });
  return page.evaluate(
    async ({ sql, width, height, url }) => {
      const { Arrow, uPlot } = window as unknown as { Arrow: any; uPlot: any };
      const answer = await fetch(`${url}/api/v1/sql`, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/vnd.apache.arrow.stream" },
        body: JSON.stringify({ sql }),
      });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      const began = performance.now();
      const table = Arrow.tableFromIPC(bytes);
      // uPlot takes arrays of numbers: times as seconds.
      const column = (name: string) => table.getChild(name).toArray();
      const micros = column("at") as BigInt64Array;
      const at = new Float64Array(micros.length);
      for (let row = 0; row < micros.length; row += 1) at[row] = Number(micros[row]) / 1e6;
      const data = [at, column("a"), column("b")];
      const decoded = performance.now();
      const series = [{}, { stroke: "#0072b2" }, { stroke: "#c75300" }];
      new uPlot({ width, height, series }, data, document.getElementById("chart"));
      // It draws in a microtask.
      await Promise.resolve();
      return { decode: decoded - began, draw: performance.now() - decoded };
    },
    { sql: SQL, width, height, url },
  );
}

const server = await startDemo(["--dashboards", dashboards]);
const browser = await chromium.launch(chromiumOptions);
try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, bypassCSP: true });
  await context.addInitScript(namesOfFunctions);
  await context.addInitScript(keepSpans);
  const page = await context.newPage();
  const ours: Ours[] = [];
  const theirs: { decode: number; draw: number }[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const here = await tidemark(page, server.url);
    ours.push(here);
    theirs.push(await rivals(page, server.url, here.width, here.height));
  }
  const parts = (name: string) => median(ours.map(({ spans }) => spans[name] ?? NaN));
  const total = median(ours.map(({ spans }) => Object.values(spans).reduce((sum, part) => sum + part, 0)));
  const rival = median(theirs.map((run) => run.decode + run.draw));
  report(
    {
      benchmark: "million",
      runs: RUNS,
      tidemark_millis: total,
      decode_millis: parts("decode"),
      bind_millis: parts("bind"),
      place_millis: parts("place"),
      draw_millis: parts("draw"),
      arrow_and_uplot_millis: rival,
      arrow_millis: median(theirs.map((run) => run.decode)),
      uplot_millis: median(theirs.map((run) => run.draw)),
      ratio: total / rival,
    },
    { tidemark_millis: { atMost: 30 }, ratio: { atMost: 1 } },
  );
} finally {
  await browser.close();
  await server.stop();
}
