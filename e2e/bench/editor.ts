// Editing: from a key to the screen with 40 tiles, and from the end of typing to the preview of a group-by over a million rows.
//   npm run bench:editor
import { chromium } from "@playwright/test";
import type { Page } from "@playwright/test";
import { chromiumOptions, namesOfFunctions } from "../chromium";
import { settled } from "../pages";
import { startEmpty } from "../server";

const KEYS = Number(process.env.RUNS ?? 40);
const PREVIEWS = Number(process.env.PREVIEWS ?? 9);
const TILES = 40;
const ROWS = 1_000_000;
const sorted = (values: number[]) => [...values].sort((a, b) => a - b);
const at = (values: number[], share: number) => sorted(values)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? NaN;

const columns = [
  { name: "id", type: "int64" },
  { name: "region", type: "string" },
  { name: "amount", type: "float64" },
  { name: "day", type: "date" },
];
const day = (index: number) => new Date(Date.UTC(2026, 0, 1) + (index % 90) * 86_400_000).toISOString().slice(0, 10);

async function fill(url: string): Promise<void> {
  const sent = (path: string, method: string, body: string) => fetch(`${url}${path}`, { method, body, headers: { "content-type": "application/json" } });
  const defined = await sent("/api/v1/datasets/sales", "PUT", JSON.stringify({ columns, key: ["id"], valid_from: "day", mode: "until_changed" }));
  if (!defined.ok) throw new Error(await defined.text());
  const step = 100_000;
  for (let from = 0; from < ROWS; from += step) {
    const lines = Array.from({ length: step }, (_, index) => {
      const id = from + index;
      return `{"id":${id},"region":"R${id % 50}","amount":${(id % 997) / 10},"day":"${day(id)}"}`;
    });
    const wait = from + step >= ROWS ? "committed" : "durable";
    const answer = await sent(`/api/v1/datasets/sales/events?wait=${wait}`, "POST", lines.join("\n"));
    if (!answer.ok) throw new Error(await answer.text());
  }
}

function dashboard(): object {
  const query = { dataset: "sales", measures: [{ aggregate: "count" }], over: { time: "effective-start", grain: "week" } };
  const chart = { title: "Facts", mark: "bar", x: { column: "at", format: "day" }, y: [{ column: "facts", format: "whole" }] };
  const times = { from: "2026-01-01", to: "2026-03-31" };
  const tiles = Array.from({ length: TILES }, (_, index) => ({ id: `t${index}`, title: `Tile ${index}`, width: 4, query, times, picture: { chart } }));
  return { name: "forty", title: "Forty", tiles };
}

/** From a key to the frame after the one in which the tile's title has changed. */
async function key(page: Page, letter: string): Promise<number> {
  await page.evaluate(() => {
    const state = window as unknown as { took?: number };
    state.took = undefined;
    addEventListener(
      "keydown",
      (event) => {
        const began = event.timeStamp;
        const title = document.querySelector("#edit-t0-title");
        const before = title?.textContent;
        const look = () => {
          if (title?.textContent === before) return requestAnimationFrame(look);
          // Painted when the next frame begins.
          return requestAnimationFrame(() => (state.took = performance.now() - began));
        };
        requestAnimationFrame(look);
      },
      { once: true, capture: true },
    );
  });
  await page.keyboard.press(letter);
  await page.waitForFunction(() => (window as unknown as { took?: number }).took !== undefined);
  return page.evaluate(() => (window as unknown as { took: number }).took);
}

/** From the last key of a formula to the tile that shows it. */
async function preview(page: Page, text: string): Promise<number> {
  const formula = page.getByTestId("calculated-0-formula");
  await formula.fill(text.slice(0, -1));
  await page.waitForTimeout(600);
  await page.evaluate(() => {
    const state = window as unknown as { took?: number };
    state.took = undefined;
    const tile = document.querySelector("[data-testid=edit-t0]")!;
    addEventListener(
      "keydown",
      (event) => {
        const began = event.timeStamp;
        let asked = false;
        const look = () => {
          const now = tile.getAttribute("data-state");
          asked ||= now !== "ready";
          if (asked && now === "ready") return requestAnimationFrame(() => (state.took = performance.now() - began));
          return requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      },
      { once: true, capture: true },
    );
  });
  await formula.focus();
  await page.keyboard.press("End");
  await page.keyboard.press(text.slice(-1));
  await page.waitForFunction(() => (window as unknown as { took?: number }).took !== undefined);
  return page.evaluate(() => (window as unknown as { took: number }).took);
}

const server = await startEmpty();
const browser = await chromium.launch(chromiumOptions);
try {
  await fill(server.url);
  const stored = await fetch(`${server.url}/api/v1/dashboards/forty`, { method: "PUT", body: JSON.stringify(dashboard()), headers: { "content-type": "application/json" } });
  if (!stored.ok) throw new Error(await stored.text());
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  await page.addInitScript(namesOfFunctions);
  await page.goto(`${server.url}/dashboards/forty/edit?tile=t0`);
  await settled(page);
  await page.getByTestId("tile-title").focus();
  await page.keyboard.press("End");
  const keys: number[] = [];
  for (let run = 0; run < KEYS; run += 1) keys.push(await key(page, "abcdefghij"[run % 10]!));

  await page.getByTestId("add-calculated").click();
  await page.getByTestId("calculated-0-name").fill("worked out");
  await page.getByTestId("calculated-0-formula").fill("amount * 2");
  await page.getByTestId("measure-0-field").selectOption("worked out");
  await page.getByTestId("by-0").selectOption("region");
  await settled(page);
  const previews: number[] = [];
  for (let run = 0; run < PREVIEWS; run += 1) previews.push(await preview(page, `amount * ${20 + run} + 1${run}`));
  console.log(
    JSON.stringify({
      benchmark: "editor",
      tiles: TILES,
      rows: ROWS,
      key_p50_millis: at(keys, 0.5),
      key_p95_millis: at(keys, 0.95),
      key_max_millis: Math.max(...keys),
      preview_p50_millis: at(previews, 0.5),
      preview_max_millis: Math.max(...previews),
    }),
  );
} finally {
  await browser.close();
  await server.stop();
}
