// The table of rows: sorted, filtered, its columns chosen, gone through by keys, and as quick with a million rows.
import type { APIRequestContext, Locator, Page } from "@playwright/test";
import { daysAgo, expect, number, open, sql, table, test, twin } from "./support";

/** As known yesterday, so that nothing is read again while somebody looks. */
const address = `/dashboards/gallery?from=2026-03-01&to=2026-03-31&known=${daysAgo(1)}T12:00:00Z`;
/** What the gallery's grid of a million rows asks. */
const ROWS =
  "SELECT instant AS at, sin(extract(epoch FROM instant) / 20000) * 10 AS a, cos(extract(epoch FROM instant) / 31000) * 8 AS b " +
  "FROM instants(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-12 13:46:40', INTERVAL '1 second')";
const ALL = 1_000_000;
/** A grid with more than 300 rows has only those in sight on the page, with some before and behind. */
const ON_PAGE_MOST = 400;
/** For a million rows on a machine that does other things. */
const patient = { timeout: 20_000 };

const tile = (page: Page) => page.getByTestId("tile-rows");
const million = (page: Page) => page.getByTestId("table-rows");
const box = (page: Page) => page.getByRole("region", { name: "The same million rows: table" });
const head = (table: Locator, name: string) => table.getByRole("columnheader", { name, exact: true });
const sorter = (table: Locator, name: string) => head(table, name).getByRole("button");
const filter = (tile: Locator) => tile.getByRole("searchbox", { name: "Show rows with" });
const count = (tile: Locator) => tile.locator(".grid-tools").getByRole("status");
const active = (table: Locator) => table.locator("tr[data-active]");

/** The rows on the page: their cells, and their place among all. */
function shown(table: Locator): Promise<{ place: number; cells: string[] }[]> {
  return table.locator("tbody tr:not(.spacer)").evaluateAll((rows) =>
    rows.map((row) => ({
      // The header is the first row.
      place: Number(row.getAttribute("aria-rowindex")) - 2,
      cells: [...row.children].map((cell) => (cell.textContent ?? "").trim()),
    })),
  );
}

/** The instant that a cell names; a day is its midnight. */
const instant = (cell: string): number => Date.parse(cell.endsWith("UTC") ? cell.replace(",", "") : `${cell} 00:00 UTC`);

/** When the row at a place is, with all rows in an order. */
async function instantAt(request: APIRequestContext, order: string, place: number): Promise<number> {
  const [row] = await sql(request, `SELECT * FROM (${ROWS}) AS r ORDER BY ${order} LIMIT 1 OFFSET ${place}`);
  return Date.parse(String(row!.at));
}

/** Whether a row is on the page, below the header and inside the box. */
async function inSight(row: Locator): Promise<boolean> {
  if ((await row.count()) !== 1) return false;
  return row.evaluate((row) => {
    const around = row.closest(".table-box")!.getBoundingClientRect();
    const header = row.closest("table")!.querySelector("thead th")!.getBoundingClientRect();
    const { top, bottom } = row.getBoundingClientRect();
    return top >= header.bottom - 1 && bottom <= around.bottom + 1;
  });
}

const rises = (values: number[]): boolean => values.every((value, index) => index === 0 || values[index - 1]! <= value);

test("a click on a header sorts a million rows: rising, falling, and as they came", async ({ page, request }) => {
  await open(page, address);
  const first = async (): Promise<number> => instant((await shown(million(page)))[0]!.cells[0]!);
  const came = await first();
  expect(came).toBe(Date.parse("2026-01-01"));
  await sorter(million(page), "a").click();
  await expect(head(million(page), "a")).toHaveAttribute("aria-sort", "ascending", patient);
  expect(await first()).toBe(await instantAt(request, "a", 0));
  // The row in the middle of the box is the one that comes at its place by value.
  await box(page).evaluate((box) => box.scrollTo(0, box.scrollHeight / 2));
  await expect.poll(async () => (await shown(million(page)))[0]!.place).toBeGreaterThan(ALL / 4);
  const rows = await shown(million(page));
  expect(rises(rows.map(({ cells }) => number(cells[1]!)))).toBe(true);
  const { place, cells } = rows[5]!;
  expect(instant(cells[0]!)).toBe(await instantAt(request, "a", place));

  await box(page).evaluate((box) => box.scrollTo(0, 0));
  await expect.poll(async () => (await shown(million(page)))[0]!.place).toBe(0);
  await sorter(million(page), "a").click();
  await expect(head(million(page), "a")).toHaveAttribute("aria-sort", "descending", patient);
  expect(await first()).toBe(await instantAt(request, "a DESC", 0));
  await sorter(million(page), "a").click();
  await expect(million(page).locator("th[aria-sort]")).toHaveCount(0);
  expect(await first()).toBe(came);
});

test("by keys a header sorts as well, and keeps the focus", async ({ page }) => {
  await open(page, address);
  const button = sorter(million(page), "At");
  await button.focus();
  await page.keyboard.press("Enter");
  await expect(head(million(page), "At")).toHaveAttribute("aria-sort", "ascending", patient);
  await expect(button).toBeFocused();
  await page.keyboard.press("Space");
  await expect(head(million(page), "At")).toHaveAttribute("aria-sort", "descending", patient);
  await expect(button).toBeFocused();
  const rows = await shown(million(page));
  expect(rows[0]!.cells[0]).toBe("12 Jan 2026, 13:46:39 UTC");
  const times = rows.map(({ cells }) => instant(cells[0]!));
  expect(times).toEqual(times.map((_, index) => times[0]! - 1_000 * index));
  // Another column takes the order over.
  await sorter(million(page), "b").focus();
  await page.keyboard.press("Enter");
  await expect(head(million(page), "b")).toHaveAttribute("aria-sort", "ascending", patient);
  await expect(million(page).locator("th[aria-sort]")).toHaveCount(1);
  expect(number((await shown(million(page)))[0]!.cells[2]!)).toBe(-8);
});

test("numbers are sorted as numbers, and what is none comes last both ways", async ({ page }) => {
  await open(page, address);
  await twin(page, "line");
  const rows = page.getByTestId("table-line");
  const column = async (): Promise<string[]> => (await table(rows)).rows.map((row) => row[2]!);
  const came = await column();
  const gaps = came.filter((cell) => cell === "–");
  expect(gaps).toHaveLength(24);
  const numbers = (cells: string[]): number[] => cells.filter((cell) => cell !== "–").map(number);
  const rising = numbers(came).sort((a, b) => a - b);
  await sorter(rows, "Reference, points").click();
  await expect(head(rows, "Reference, points")).toHaveAttribute("aria-sort", "ascending");
  expect(numbers(await column())).toEqual(rising);
  expect((await column()).slice(-gaps.length)).toEqual(gaps);
  await sorter(rows, "Reference, points").click();
  await expect(head(rows, "Reference, points")).toHaveAttribute("aria-sort", "descending");
  expect(numbers(await column())).toEqual([...rising].reverse());
  expect((await column()).slice(-gaps.length)).toEqual(gaps);
});

test("a comparison leaves the rows that have such a number, and says how many of how many", async ({ page, request }) => {
  await open(page, address);
  await expect(count(tile(page))).toHaveText("1,000,000 rows");
  const [low] = await sql(request, `SELECT count(*) AS n FROM (${ROWS}) AS r WHERE a < -9.9 OR b < -9.9`);
  await filter(tile(page)).fill("< -9.9");
  await expect(count(tile(page))).toHaveText(`${Number(low!.n).toLocaleString("en-GB")} of 1,000,000 rows`, patient);
  await expect(million(page)).toHaveAttribute("aria-rowcount", String(Number(low!.n) + 1));
  const rows = await shown(million(page));
  expect(rows.length).toBeGreaterThan(10);
  for (const { cells } of rows) expect(number(cells[1]!), cells.join(", ")).toBeLessThanOrEqual(-9.9);
  await filter(tile(page)).fill("");
  await expect(count(tile(page))).toHaveText("1,000,000 rows", patient);
});

test("a comparison is of numbers: that times are long after 1970 lets no row through", async ({ page, request }) => {
  await open(page, address);
  const [high] = await sql(request, `SELECT count(*) AS n FROM (${ROWS}) AS r WHERE a > 9 OR b > 9`);
  await filter(tile(page)).fill("> 9");
  await expect(count(tile(page))).toHaveText(`${Number(high!.n).toLocaleString("en-GB")} of 1,000,000 rows`, patient);
  for (const { cells } of await shown(million(page))) expect(number(cells[1]!), cells.join(", ")).toBeGreaterThanOrEqual(9);
});

test("a word is found in any column, in capitals or not, and what is not found leaves none", async ({ page }) => {
  await open(page, address);
  const all = await twin(page, "line");
  const around = page.getByTestId("tile-line");
  await expect(count(around)).toHaveText("124 rows");
  await filter(around).fill("15 mar");
  await expect(count(around)).toHaveText("4 of 124 rows");
  expect((await table(page.getByTestId("table-line"))).rows).toEqual(all.filter(([time]) => time!.startsWith("15 Mar 2026")));
  await filter(around).fill("no such word");
  await expect(count(around)).toHaveText("0 of 124 rows");
  expect((await table(page.getByTestId("table-line"))).rows).toEqual([]);
  await filter(around).fill("");
  await expect(count(around)).toHaveText("124 rows");
  expect((await table(page.getByTestId("table-line"))).rows).toEqual(all);
});

test("columns are hidden and shown again, but not the one that names the row", async ({ page }) => {
  await open(page, address);
  const header = async (): Promise<string[]> => (await table(million(page))).header;
  const cells = async (): Promise<number[]> => [...new Set((await shown(million(page))).map(({ cells }) => cells.length))];
  const choices = tile(page).locator(".grid-columns").getByRole("checkbox");
  await tile(page).locator(".grid-columns summary").click();
  await expect(choices).toHaveCount(2);
  const [a, b] = ["a", "b"].map((name) => tile(page).getByRole("checkbox", { name, exact: true })) as [Locator, Locator];
  await b.uncheck();
  await expect(head(million(page), "b")).toHaveCount(0);
  expect(await header()).toEqual(["At", "a"]);
  expect(await cells()).toEqual([2]);
  await a.press("Space");
  await expect(a).not.toBeChecked();
  expect(await header()).toEqual(["At"]);
  await b.check();
  await a.press("Space");
  await expect(head(million(page), "a")).toBeVisible();
  expect(await header()).toEqual(["At", "a", "b"]);
  expect(await cells()).toEqual([3]);
});

test("keys go from row to row, and each is spoken and comes into sight", async ({ page }) => {
  await open(page, address);
  const rows = await twin(page, "line");
  const lines = page.getByTestId("table-line");
  const spoken = page.getByTestId("tile-line").locator(".grid > [aria-live]");
  await page.getByRole("region", { name: "Level and reference as a table: table" }).focus();
  const steps: [string, number][] = [
    ["ArrowDown", 0],
    ["ArrowDown", 1],
    ["Shift+ArrowDown", 11],
    ["End", rows.length - 1],
    ["ArrowDown", rows.length - 1],
    ["ArrowUp", rows.length - 2],
    ["Home", 0],
    ["ArrowUp", 0],
  ];
  for (const [key, place] of steps) {
    await page.keyboard.press(key);
    await expect(active(lines), key).toHaveAttribute("aria-rowindex", String(place + 2));
    await expect(spoken, key).toHaveText(rows[place]!.join(", "));
    await expect.poll(() => inSight(active(lines)), `row ${place} in sight after ${key}`).toBe(true);
  }
});

test("at the bottom of a million rows stands the last, and only those in sight are on the page", async ({ page }) => {
  await open(page, address);
  await expect(million(page)).toHaveAttribute("aria-rowcount", String(ALL + 1));
  const last = million(page).locator(`tr[aria-rowindex="${ALL + 1}"]`);
  await expect
    .poll(async () => {
      await box(page).evaluate((box) => box.scrollTo(0, box.scrollHeight));
      return inSight(last);
    })
    .toBe(true);
  await expect(last.locator("th")).toHaveText("12 Jan 2026, 13:46:39 UTC");
  expect(await million(page).locator("tr").count()).toBeLessThan(ON_PAGE_MOST);
  await box(page).evaluate((box) => box.scrollTo(0, 0));
  await expect.poll(() => inSight(million(page).locator('tr[aria-rowindex="2"]'))).toBe(true);
  expect(await million(page).locator("tr").count()).toBeLessThan(ON_PAGE_MOST);
});

test("keys reach both ends of a million rows, and what is next to them", async ({ page }) => {
  await open(page, address);
  await box(page).focus();
  const steps: [string, number][] = [
    ["End", ALL - 1],
    ["ArrowUp", ALL - 2],
    ["Shift+ArrowUp", ALL - 12],
    ["ArrowDown", ALL - 11],
    ["Home", 0],
    ["Shift+ArrowDown", 10],
  ];
  for (const [key, place] of steps) {
    await page.keyboard.press(key);
    await expect(active(million(page)), key).toHaveAttribute("aria-rowindex", String(place + 2));
    await expect.poll(() => inSight(active(million(page))), `row ${place} in sight after ${key}`).toBe(true);
    expect(await million(page).locator("tr").count()).toBeLessThan(ON_PAGE_MOST);
  }
});
