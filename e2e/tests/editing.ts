// What tests of the editor share: a lake of their own, a dataset of orders, a new dashboard over it.
import { test as base, expect } from "@playwright/test";
import type { APIRequestContext, Locator, Page } from "@playwright/test";
import { startEmpty } from "../server";
import type { DemoServer } from "../server";
import { settled } from "./support";

// A lake of its own for each file, because these begin empty.
export const test = base.extend<{ clean: void }, { lake: DemoServer }>({
  lake: [
    async ({}, use) => {
      const server = await startEmpty();
      await use(server);
      await server.stop();
    },
    { scope: "worker", timeout: 180_000 },
  ],
  baseURL: async ({ lake }, use) => use(lake.url),
  clean: [
    async ({ page, lake }, use) => {
      const wrong: string[] = [];
      page.on("request", (request) => {
        if (!request.url().startsWith(`${lake.url}/`) && !/^(data|blob):/.test(request.url())) wrong.push(`request to ${request.url()}`);
      });
      page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
      page.on("console", (message) => {
        if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(`console: ${message.text()}`);
      });
      await use();
      expect(wrong, "what the page did wrong").toEqual([]);
    },
    { auto: true },
  ],
});

export async function put(request: APIRequestContext, url: string, data: object, headers: Record<string, string> = {}): Promise<void> {
  const answer = await request.put(url, { data, headers });
  expect(answer.ok(), await answer.text()).toBe(true);
}

/** A small dataset of orders, each day's of two regions. */
export async function orders(request: APIRequestContext, lake: DemoServer, name: string): Promise<void> {
  const columns = [
    { name: "region", type: "string" },
    { name: "amount", type: "float64" },
    { name: "units", type: "int64" },
    { name: "day", type: "date" },
    { name: "until", type: "date" },
  ];
  await put(request, `${lake.url}/api/v1/datasets/${name}`, { columns, key: ["region"], valid_from: "day", valid_to: "until", mode: "interval" });
  const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
  const events = Array.from({ length: 60 }, (_, ago) =>
    ["North", "South"].map((region) => ({ region, amount: (ago % 7) * 10.5 + 1, units: ago % 3, day: day(ago), until: day(ago - 1) })),
  ).flat();
  const answer = await request.post(`${lake.url}/api/v1/datasets/${name}/events?wait=committed`, {
    data: events.map((event) => JSON.stringify(event)).join("\n"),
    headers: { "content-type": "application/x-ndjson" },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
}

export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await settled(page);
}

/** A tile of the editor that shows what it asks. */
export async function ready(page: Page, id: string): Promise<Locator> {
  const tile = page.getByTestId(`edit-${id}`);
  await expect(tile).toHaveAttribute("data-state", "ready");
  return tile;
}

export const ids = (page: Page): Promise<(string | null)[]> =>
  page.locator("[data-cell]").evaluateAll((cells) => cells.map((cell) => cell.getAttribute("data-cell")));

/** A new dashboard with one tile over orders. */
export async function begin(page: Page, request: APIRequestContext, lake: DemoServer, dataset: string): Promise<void> {
  await orders(request, lake, dataset);
  await open(page, "/dashboards/new");
  await page.getByTestId("add-tile").click();
  await page.getByTestId("dataset").selectOption(dataset);
  // It begins with a mean, which says something of prices too; orders may be added up.
  await expect(page.getByTestId("tile-title")).toHaveValue("Mean of amount by day");
  await page.getByTestId("measure-0-aggregate").selectOption("sum");
  await expect(page.getByTestId("tile-title")).toHaveValue("Sum of amount by day");
  await ready(page, "tile");
}
