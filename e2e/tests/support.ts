// What all tests share: a page that must stay within its origin and its own errors, SQL asked beside it, answers that are
// held back or spoilt, a wire that can be cut, and reading numbers, tables and pixels off the screen.
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import AxeBuilder from "@axe-core/playwright";
import { test as base, expect } from "@playwright/test";
import type { APIRequestContext, Locator, Page, Request, Route } from "@playwright/test";
import { settled } from "../pages";

export { expect };
export { DASHBOARDS, DENSITIES, DOCS, FURTHER_DASHBOARDS, PAGES, settled, THEMES, VIEWPORTS } from "../pages";

const base_url = (): string => {
  const url = process.env.TIDEMARK_URL;
  if (!url) throw new Error("TIDEMARK_URL is set by global-setup.ts");
  return url;
};

/** Every test fails on a request that leaves the origin and on an error in the page's console. */
export const test = base.extend<{ strict: void }>({
  baseURL: async ({}, use) => use(base_url()),
  strict: [
    async ({ page }, use) => {
      const wrong: string[] = [];
      page.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(`${base_url()}/`) && !/^(data|blob):/.test(url)) wrong.push(`request to ${url}`);
      });
      page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
      page.on("console", (message) => {
        // The browser's own report of a refused request; the test that provokes one looks at the answer itself.
        if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
          wrong.push(`console: ${message.text()}`);
        }
      });
      await use();
      expect(wrong, "what the page did wrong").toEqual([]);
    },
    { auto: true },
  ],
});

export type Row = Record<string, unknown>;
export interface Coordinates {
  valid_time?: string;
  system_time?: string;
  snapshot?: string;
  parameters?: Record<string, unknown>;
}

/** Rows of a statement as of these coordinates. Decimals and 64-bit integers arrive as the server writes them. */
export async function sql(request: APIRequestContext, text: string, coordinates: Coordinates = {}): Promise<Row[]> {
  const answer = await request.post(`${base_url()}/api/v1/sql`, {
    data: { sql: text, ...coordinates },
    headers: { accept: "application/json" },
  });
  const body = await answer.text();
  if (!answer.ok()) throw new Error(`${text}\n${answer.status()} ${body}`);
  return JSON.parse(body) as Row[];
}

/** The last committed system time. */
export async function committed(request: APIRequestContext): Promise<string> {
  const answer = await request.post(`${base_url()}/api/v1/sql`, {
    data: { sql: "SELECT 1 AS one" },
    headers: { accept: "application/json" },
  });
  const time = answer.headers()["tidemark-system-time"];
  if (!time) throw new Error(`no Tidemark-System-Time in the answer: ${await answer.text()}`);
  return time;
}

/** Opens a page and waits until it has come to rest. */
export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await settled(page);
}

/** Sees to it that the browser keeps this before the page is opened. */
export async function keep(page: Page, kept: Record<string, string>): Promise<void> {
  await page.addInitScript((kept) => {
    for (const [name, value] of Object.entries(kept)) if (localStorage.getItem(name) === null) localStorage.setItem(name, value);
  }, kept);
}

/** `−1,204.31 %` as -1204.31; fails on text that holds no number. */
export function number(text: string): number {
  const found = text.replace(/[−–](?=[\d.])/g, "-").replace(/,/g, "").match(/[-+]?\d+(\.\d+)?/);
  if (!found) throw new Error(`no number in '${text}'`);
  return Number(found[0]);
}

/** Decimals shown, so that a number on screen can be compared within half of its last digit. */
export function decimals(text: string): number {
  return text.match(/\d\.(\d+)/)?.[1]?.length ?? 0;
}

/** Whether the text on screen is this value, rounded as shown. */
export function shows(text: string, value: number): boolean {
  return Math.abs(number(text) - value) <= 0.5 * 10 ** -decimals(text) + 1e-9;
}

/** Text of a cell or figure, without the spaces around it. */
export async function textOf(locator: Locator): Promise<string> {
  return (await locator.innerText()).trim();
}

/** Header and body of a table, as text. */
export async function table(locator: Locator): Promise<{ header: string[]; rows: string[][] }> {
  return locator.evaluate((element) => {
    const cells = (row: Element) => [...row.children].map((cell) => (cell as HTMLElement).innerText.trim());
    const body = [...element.querySelectorAll("tbody tr:not(.spacer)")].map(cells);
    const head = element.querySelector("thead tr");
    return { header: head ? cells(head) : [], rows: body };
  });
}

/**
 * Pixels of a canvas in the colour of a custom property such as `--series-1`, and all that are drawn. A pixel counts
 * when each channel is within `tolerance`: antialiased edges mix with the ground, the middle of a line does not.
 */
export async function pixels(canvas: Locator, property: string, tolerance = 24): Promise<{ coloured: number; drawn: number }> {
  return canvas.evaluate(
    (element, { property, tolerance }) => {
      const canvas = element as HTMLCanvasElement;
      const probe = document.createElement("span");
      probe.style.color = `var(${property})`;
      canvas.parentElement?.append(probe);
      // Through a canvas of one pixel, which speaks every colour syntax and answers in bytes.
      const one = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const context = canvas.getContext("2d");
      if (!one || !context) throw new Error("no 2d context");
      one.fillStyle = getComputedStyle(probe).color;
      one.fillRect(0, 0, 1, 1);
      const wanted = one.getImageData(0, 0, 1, 1).data;
      probe.remove();
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      let coloured = 0;
      let drawn = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3]! === 0) continue;
        drawn += 1;
        if ([0, 1, 2].every((c) => Math.abs(data[i + c]! - wanted[c]!) <= tolerance)) coloured += 1;
      }
      return { coloured, drawn };
    },
    { property, tolerance },
  );
}

/** Defines a dataset whose facts hold from a day until the next one of their key `id`. */
export async function define(request: APIRequestContext, name: string, values: Record<string, string>): Promise<void> {
  const column = ([name, type]: [string, string]) => ({ name, type });
  const columns = Object.entries({ id: "string", ...values, from: "date" }).map(column);
  const data = { columns, key: ["id"], valid_from: "from", mode: "until_changed" };
  const answer = await request.put(`${base_url()}/api/v1/datasets/${name}`, { data });
  expect(answer.ok(), await answer.text()).toBe(true);
}

/** Posts events and waits until they are committed; gives the epoch's system time. */
export async function commit(request: APIRequestContext, dataset: string, events: object[]): Promise<string> {
  const answer = await request.post(`${base_url()}/api/v1/datasets/${dataset}/events?wait=committed`, {
    data: events.map((event) => JSON.stringify(event)).join("\n"),
    headers: { "content-type": "application/x-ndjson" },
  });
  const body = await answer.text();
  if (!answer.ok()) throw new Error(`${answer.status()} ${body}`);
  const { accepted, rejected, system_time } = JSON.parse(body) as { accepted: number; rejected: unknown[]; system_time: string };
  expect(rejected, "rejected events").toEqual([]);
  expect(accepted).toBe(events.length);
  return system_time;
}

/** The statement that a request asks the lake; nothing where it asks something else. */
function statement(request: Request): string {
  const url = new URL(request.url());
  if (url.pathname !== "/api/v1/sql") return "";
  if (request.method() === "GET") return url.searchParams.get("sql") ?? "";
  return (JSON.parse(request.postData() ?? "{}") as { sql?: string }).sql ?? "";
}

/** Gives the answers to statements with these words; all else goes its way. */
export async function whenAsked(page: Page, words: string, give: (route: Route) => Promise<void>): Promise<void> {
  await page.route(
    (url) => url.pathname === "/api/v1/sql",
    (route) => (statement(route.request()).includes(words) ? give(route) : route.fallback()),
  );
}

/** What went wrong where an answer is spoilt. */
export const FAILURE = "a file of the lake could not be read; the log says why";

/** Answers as the server does when something goes wrong inside of it. */
export async function spoil(route: Route): Promise<void> {
  const problem = { type: "about:blank", title: "Something went wrong inside Tidemark", status: 500, detail: FAILURE };
  await route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify(problem) });
}

export interface Wire {
  url: string;
  /** Closes what is open, and takes nothing any more. */
  cut: () => Promise<void>;
  /** Nothing passes any more, and nothing is closed: a network that is gone. */
  silence: () => void;
  mend: () => Promise<void>;
}

/** What stands between the browser and the server, and can be cut. */
async function wire(): Promise<Wire> {
  const target = new URL(base_url());
  const open = new Set<Socket>();
  let silent = false;
  const server = createServer((near) => {
    if (silent) return void open.add(near.on("error", () => near.destroy()));
    const far = connect(Number(target.port), target.hostname);
    for (const [one, other] of [[near, far], [far, near]] as const) {
      open.add(one);
      one.on("error", () => one.destroy()).on("close", () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  const listen = (port: number) => new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const cut = () =>
    new Promise<void>((done) => {
      server.close(() => done());
      open.forEach((socket) => socket.destroy());
    });
  const silence = (): void => {
    silent = true;
    open.forEach((socket) => socket.unpipe().pause());
  };
  const mend = async (): Promise<void> => {
    // What was silent stays so; only a new connection is heard.
    if (silent) silent = false;
    else await listen(port);
  };
  return { url: `http://127.0.0.1:${port}`, cut, silence, mend };
}

/** Does something with a page that reaches the server over a wire of its own, by the wire's address. */
export async function overWire(page: Page, act: (wire: Wire) => Promise<void>): Promise<void> {
  const own = await wire();
  const direct = base_url();
  process.env.TIDEMARK_URL = own.url;
  try {
    await act(own);
    await page.goto("about:blank");
  } finally {
    await own.cut();
    process.env.TIDEMARK_URL = direct;
  }
}

/**
 * What axe finds wrong with the page as it is. It leaves the size of targets out unless it is asked. Tests that ask have to
 * bypass the page's policy: axe sets style attributes while it measures, which the policy rightly forbids to pages.
 */
export async function findings(page: Page): Promise<string> {
  const axe = new AxeBuilder({ page }).options({ rules: { "target-size": { enabled: true } } });
  const { violations } = await axe.analyze();
  return violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((n) => n.html).join("\n  ")}`).join("\n");
}

/** No part of the page is wider than the window. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const widths = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    window: document.documentElement.clientWidth,
  }));
  expect(widths.content, "width of the page's content").toBeLessThanOrEqual(widths.window);
}

const DAY_MS = 86_400_000;

/** The day so many days ago, as an address says it. */
export const daysAgo = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);

/** The table of a chart. */
export async function twin(page: Page, id: string): Promise<string[][]> {
  await page.getByTestId(`chart-${id}-toggle`).click();
  const shown = page.getByTestId(`table-${id}`);
  await expect(shown).toBeVisible();
  return (await table(shown)).rows;
}

/** Chooses the first of what can be chosen on a chart, by keyboard. */
export async function chooseFirst(page: Page, chart: string): Promise<void> {
  await page.getByTestId(chart).focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
}
