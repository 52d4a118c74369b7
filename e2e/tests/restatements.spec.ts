import type { APIRequestContext, Page } from "@playwright/test";
import { expect, number, open, PAGES, pixels, settled, sql, table, test, textOf } from "./support";
import type { Row } from "./support";

const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
const A = `${daysAgo(100)}T12:00:00Z`;
const B = `${daysAgo(5)}T12:00:00Z`;

interface Comparison {
  dataset: string;
  key: string[];
  values: string[];
  a: string;
  b: string;
}

const REPORTS: Comparison = { dataset: "reports", key: ["issuer_id", "metric"], values: ["value", "currency", "status"], a: A, b: B };
const MEMBERS: Comparison = { dataset: "constituents", key: ["index_id", "instrument_id"], values: ["weight", "index_shares"], a: A, b: B };

/** All effective time, so that the comparison is of everything known. */
const address = ({ dataset, a, b }: Comparison): string =>
  `${PAGES.restatements}?dataset=${dataset}&from=first&a=${a}&b=${b}`;

interface Difference {
  added: Row[];
  removed: Row[];
  changed: [Row, Row][];
}

/** The difference, worked out here from two plain readings. */
async function difference(request: APIRequestContext, { dataset, key, values, a, b }: Comparison): Promise<Difference> {
  const columns = [...key, "valid_from", "valid_to", ...values].join(", ");
  const read = async (system_time: string) => {
    const rows = await sql(request, `SELECT ${columns} FROM ${dataset}`, { system_time });
    return new Map(rows.map((row) => [[...key, "valid_from"].map((name) => row[name]).join("|"), row]));
  };
  const [before, after] = [await read(a), await read(b)];
  const same = (x: Row, y: Row) => [...values, "valid_to"].every((name) => x[name] === y[name]);
  const shared = [...after].flatMap(([id, row]) => (before.has(id) ? [[before.get(id)!, row] as [Row, Row]] : []));
  return {
    added: [...after].filter(([id]) => !before.has(id)).map(([, row]) => row),
    removed: [...before].filter(([id]) => !after.has(id)).map(([, row]) => row),
    changed: shared.filter(([x, y]) => !same(x, y)),
  };
}

async function expectCounts(page: Page, { added, removed, changed }: Record<keyof Difference, { length: number }>): Promise<void> {
  for (const [name, rows] of Object.entries({ added, removed, changed })) {
    await expect.poll(async () => number(await textOf(page.getByTestId(`kpi-${name}`))), { message: name }).toBe(rows.length);
  }
}

test("added, removed and changed rows are those of two readings", async ({ page, request }) => {
  for (const comparison of [REPORTS, MEMBERS]) {
    const found = await difference(request, comparison);
    await open(page, address(comparison));
    await expectCounts(page, found);
    const total = found.added.length + found.removed.length + found.changed.length;
    await expect(page.getByTestId("table-changes").locator("tbody tr")).toHaveCount(Math.min(total, 500));
  }
});

test("a changed cell shows the value before and the value after, digit for digit", async ({ page, request }) => {
  const { changed } = await difference(request, REPORTS);
  const restated = changed.filter(([before, after]) => before.value !== after.value);
  expect(restated.length, "the demo restates reports").toBeGreaterThan(0);
  await open(page, address(REPORTS));
  const plain = (text: string) => text.replaceAll(",", "").replaceAll("−", "-").trim();
  const shown = await page.getByTestId("table-changes").evaluate((table) =>
    [...table.querySelectorAll("tbody tr[data-kind=changed]")].map((row) => ({
      key: [...row.querySelectorAll(".key")].map((cell) => cell.textContent),
      before: row.querySelector("td.number del")?.textContent ?? "",
      after: row.querySelector("td.number ins")?.textContent ?? "",
    })),
  );
  for (const [before, after] of restated.slice(0, 50)) {
    const row = shown.find(
      ({ key, before: text }) => key[0] === before.issuer_id && key[1] === before.metric && plain(text) === String(before.value),
    );
    expect(row, `${before.issuer_id} ${before.metric} ${before.value}`).toBeDefined();
    expect(plain(row!.after)).toBe(String(after.value));
  }
});

test("swapping A and B turns added into removed", async ({ page, request }) => {
  const found = await difference(request, MEMBERS);
  expect(found.added.length).toBeGreaterThan(0);
  await open(page, address(MEMBERS));
  await expectCounts(page, found);
  await page.getByTestId("swap").click();
  await expectCounts(page, { added: found.removed, removed: found.added, changed: found.changed });
  await page.goBack();
  await expectCounts(page, found);
});

test("the rows by day are drawn, and their table adds up", async ({ page, request }) => {
  const { added, changed } = await difference(request, REPORTS);
  await open(page, address(REPORTS));
  const canvas = page.getByTestId("chart-restated").locator("canvas").first();
  await expect.poll(async () => (await pixels(canvas, "--series-1")).coloured).toBeGreaterThan(50);
  await page.getByTestId("chart-restated-toggle").click();
  const { rows } = await table(page.getByTestId("table-restated"));
  expect(rows.reduce((sum, row) => sum + number(row[1]!), 0)).toBe(added.length + changed.length);
});

test("another dataset is one choice away, and its comparison has an address", async ({ page, request }) => {
  await open(page, address(REPORTS));
  await page.getByTestId("dataset-select").selectOption("constituents");
  await expect(page).toHaveURL(/dataset=constituents/);
  await settled(page);
  await expectCounts(page, await difference(request, MEMBERS));
});

test("two readings that say the same say so", async ({ page }) => {
  await open(page, address({ ...REPORTS, b: A }));
  await expect(page.getByTestId("tile-changes")).toHaveAttribute("data-state", "empty");
  await expect(page.getByTestId("tile-changes")).toContainText("say the same");
});
