// Each type of tile as people see it in the gallery: marks in their colours, and beside them a table of the same values.
import type { APIRequestContext, Page } from "@playwright/test";
import { daysAgo, expect, number, open, pixels, shows, sql, table, test, textOf, twin } from "./support";
import type { Row } from "./support";

interface Range {
  from: string;
  /** The last day. */
  to: string;
}

const MARCH: Range = { from: "2026-03-01", to: "2026-03-31" };
/** Thirteen weeks, in which what the candles show falls first and rises then. */
const WINTER: Range = { from: "2025-12-01", to: "2026-02-28" };
/** So many pixels are a mark that somebody sees. */
const SEEN = 100;
/** The ground below a line or between two. */
const GROUND = 1_000;
const DAY_MS = 86_400_000;

/** As known yesterday, so that nothing is read again while somebody looks. */
const openGallery = (page: Page, { from, to }: Range): Promise<void> =>
  open(page, `/dashboards/gallery?from=${from}&to=${to}&known=${daysAgo(1)}T12:00:00Z`);

/** What a tile's own statement answers for a range. */
async function answer(request: APIRequestContext, tile: string, { from, to }: Range): Promise<Row[]> {
  const gallery = await (await request.get(`${process.env.TIDEMARK_URL}/api/v1/dashboards/gallery`)).json();
  const { tiles } = gallery as { tiles: { id: string; sql: string }[] };
  const text = tiles.find(({ id }) => id === tile)!.sql;
  const after = new Date(Date.parse(to) + DAY_MS).toISOString().slice(0, 10);
  const ends = { from: `${from}T00:00:00Z`, to: `${after}T00:00:00Z` };
  const parameters = Object.fromEntries(Object.entries(ends).filter(([name]) => text.includes(`$${name}`)));
  return sql(request, text, { parameters });
}

/** The instant that a cell names; a day is its midnight. */
const instant = (cell: string): number => Date.parse(cell.endsWith("UTC") ? cell.replace(",", "") : `${cell} 00:00 UTC`);

/** The last row first, as tables have what runs over time. */
const newestFirst = (rows: Row[], at = "at"): Row[] => [...rows].sort((a, b) => Date.parse(String(b[at])) - Date.parse(String(a[at])));

/** Checks the cells of a table: the first of each row is a time, and each other a number, or what stands where there is none. */
function expectSeries(shown: string[][], rows: Row[], columns: string[], none = "–", at = "at"): void {
  expect(shown.map(([cell]) => instant(cell!))).toEqual(rows.map((row) => Date.parse(String(row[at]))));
  for (const [index, row] of rows.entries()) {
    for (const [place, column] of columns.entries()) {
      const [cell, value] = [shown[index]![place + 1]!, row[column] ?? null];
      const same = value === null ? cell === none : shows(cell, Number(value));
      expect(same, `${column} at ${String(row[at])}: '${cell}' for ${String(value)}`).toBe(true);
    }
  }
}

/** Checks that a chart has more than so many pixels in each of these colours. */
async function expectColours(page: Page, id: string, least: Record<string, number>): Promise<void> {
  const canvas = page.getByTestId(`chart-${id}`).locator("canvas").first();
  for (const [colour, count] of Object.entries(least)) {
    await expect.poll(async () => (await pixels(canvas, colour)).coloured, `${id} in ${colour}`).toBeGreaterThan(count);
  }
}

const header = async (page: Page, id: string): Promise<string[]> => (await table(page.getByTestId(`table-${id}`))).header;
const legend = (page: Page, id: string) => page.getByTestId(`tile-${id}`).locator(".legend-name");

test("lines have the colours of their series, a reference is dashed, and gaps are dashes in the table", async ({ page, request }) => {
  await openGallery(page, MARCH);
  await expectColours(page, "line", { "--series-1": SEEN, "--series-2": SEEN });
  await expect(legend(page, "line")).toHaveText(["Level", "Reference"]);
  await expect(page.getByTestId("tile-line").locator(".swatch.dashed")).toHaveCount(1);
  const rows = newestFirst(await answer(request, "line", MARCH));
  expect(rows.filter((row) => row.reference === null), "gaps").toHaveLength(6 * 4);
  expectSeries(await twin(page, "line"), rows, ["level", "reference"]);
  expect(await header(page, "line")).toEqual(["Time", "Level, points", "Reference, points"]);
});

test("a line of a million rows is drawn of all of them", async ({ page }) => {
  await openGallery(page, MARCH);
  await expectColours(page, "million", { "--series-1": GROUND, "--series-2": GROUND });
  const said = page.getByTestId("chart-million");
  await expect(said).toHaveAttribute("aria-label", /a: 1,000,000 points from 1 Jan 2026 to 12 Jan 2026, 13:46:39 UTC/);
  await expect(said).toHaveAttribute("aria-label", /b: 1,000,000 points/);
});

test("an area fills the ground below its line", async ({ page, request }) => {
  await openGallery(page, MARCH);
  // Several times what the line alone would be.
  await expectColours(page, "area", { "--series-1": 8_000 });
  expectSeries(await twin(page, "area"), newestFirst(await answer(request, "area", MARCH)), ["flow"]);
  expect(await header(page, "area")).toEqual(["Time", "Flow, m³/s"]);
});

test("stacked areas stand on each other, each in its colour, and the table has a column for each", async ({ page, request }) => {
  await openGallery(page, MARCH);
  await expectColours(page, "stacked-area", { "--series-1": GROUND, "--series-2": GROUND, "--series-3": GROUND, "--series-4": GROUND });
  const kinds = ["Coal", "Gas", "Sun", "Wind"];
  await expect(legend(page, "stacked-area")).toHaveText(kinds);
  const days = new Map<string, Row>();
  for (const { at, kind, amount } of await answer(request, "stacked-area", MARCH)) {
    days.set(String(at), { ...days.get(String(at)), at, [String(kind)]: amount });
  }
  expect(days.size).toBe(31);
  expectSeries(await twin(page, "stacked-area"), newestFirst([...days.values()]), kinds);
  expect(await header(page, "stacked-area")).toEqual(["Day, UTC", ...kinds.map((kind) => `${kind}, GWh`)]);
});

test("bars of two series stand side by side, and amounts have their currency", async ({ page }) => {
  await openGallery(page, MARCH);
  await expectColours(page, "bar", { "--series-1": GROUND, "--series-2": GROUND });
  await expect(legend(page, "bar")).toHaveText(["This year", "Last year"]);
  expect(await twin(page, "bar")).toEqual([
    ["North", "€12,500,000.00", "€10,000,000.00"],
    ["East", "€9,250,000.00", "€11,500,000.00"],
    ["South", "−€3,500,000.00", "€2,000,000.00"],
    ["West", "€15,750,000.00", "€14,000,000.00"],
  ]);
});

test("stacked bars have a part for each kind, what is below zero as well, and none where there is no row", async ({ page }) => {
  await openGallery(page, MARCH);
  await expectColours(page, "stacked-bar", { "--series-1": GROUND, "--series-2": GROUND, "--series-3": SEEN });
  await expect(legend(page, "stacked-bar")).toHaveText(["Late", "Corrected", "Withdrawn"]);
  expect(await twin(page, "stacked-bar")).toEqual([
    ["Q1", "4", "9", "−2"],
    ["Q2", "6", "5", "−4"],
    ["Q3", "3", "12", ""],
  ]);
  expect(await header(page, "stacked-bar")).toEqual(["quarter", "Late, facts", "Corrected, facts", "Withdrawn, facts"]);
});

test("a histogram counts every row in the bin it lies in", async ({ page, request }) => {
  await openGallery(page, MARCH);
  await expectColours(page, "histogram", { "--series-1": GROUND });
  const deviations = (await answer(request, "histogram", MARCH)).map((row) => Number(row.deviation));
  expect(deviations).toHaveLength(31 * 24);
  const bins = (await twin(page, "histogram")).map((row) => row.map(number) as [number, number, number]);
  expect(bins.length, "bins").toBeGreaterThan(5);
  expect(bins.length, "bins").toBeLessThanOrEqual(40);
  for (const [from, to, count] of bins) {
    expect(deviations.filter((value) => from <= value && value < to).length, `${from} to ${to}`).toBe(count);
  }
  expect(bins.reduce((sum, [, , count]) => sum + count, 0)).toBe(deviations.length);
  expect(await header(page, "histogram")).toEqual(["Deviation", "Deviation until", "Hours, hours"]);
});

test("a scatter has a dot for each row", async ({ page, request }) => {
  await openGallery(page, MARCH);
  await expectColours(page, "scatter", { "--series-1": GROUND });
  const rising = (a: [number, unknown], b: [number, unknown]): number => a[0] - b[0];
  const answered = await answer(request, "scatter", MARCH);
  const rows = answered.map(({ exposure, outcome }): [number, number] => [Number(exposure), Number(outcome)]);
  const shown = (await twin(page, "scatter")).map(([exposure, outcome]): [number, string] => [number(exposure!), outcome!]);
  expect(rows).toHaveLength(31 * 8);
  expect(shown).toHaveLength(rows.length);
  rows.sort(rising);
  for (const [index, [exposure, outcome]] of shown.sort(rising).entries()) {
    expect(exposure).toBeCloseTo(rows[index]![0], 9);
    expect(shows(outcome, rows[index]![1]), `${outcome} at ${exposure}`).toBe(true);
  }
});

test("candles that fell are filled in one colour, and those that rose are hollow in another", async ({ page, request }) => {
  await openGallery(page, WINTER);
  await expectColours(page, "candlestick", { "--removed": 4 * SEEN, "--added": SEEN, "--surface": SEEN });
  const rows = newestFirst(await answer(request, "candlestick", WINTER), "week");
  const rose = rows.filter((row) => Number(row.close) > Number(row.open));
  expect([rows.length, rose.length > 3, rows.length - rose.length > 3], "candles both ways").toEqual([13, true, true]);
  expectSeries(await twin(page, "candlestick"), rows, ["open", "high", "low", "close"], "–", "week");
  expect(await header(page, "candlestick")).toEqual(["Day, UTC", "Open, per share", "High", "Low", "Close"]);
});

test("a heat map goes from its low colour to its high, and the table names both axes", async ({ page, request }) => {
  await openGallery(page, MARCH);
  await expectColours(page, "heat-map", { "--heat-low": 3 * SEEN, "--heat-high": 3 * SEEN });
  const rows = await answer(request, "heat-map", MARCH);
  expect(rows).toHaveLength(8 * 7);
  const shown = await twin(page, "heat-map");
  const cells = (rows: [unknown, unknown, unknown][]) => rows.map(([hour, weekday, load]) => `${hour} ${weekday} ${Number(load)}`).sort();
  expect(cells(shown as [string, string, string][])).toEqual(cells(rows.map(({ hour, weekday, load }) => [hour, weekday, load])));
  expect(new Set(shown.map(([, weekday]) => weekday))).toEqual(new Set(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]));
  expect(await header(page, "heat-map")).toEqual(["Hour", "Weekday", "Load"]);
});

test("a waterfall goes up in one colour and down in another between totals", async ({ page }) => {
  await openGallery(page, MARCH);
  await expectColours(page, "waterfall", { "--added": SEEN, "--removed": SEEN, "--series-1": GROUND });
  expect(await twin(page, "waterfall")).toEqual([
    ["Published", "104.8"],
    ["Late", "12.0"],
    ["Corrected", "−9.1"],
    ["Withdrawn", "−5.4"],
    ["Known now", "102.3"],
  ]);
  expect(await header(page, "waterfall")).toEqual(["step", "Amount, million EUR"]);
});

test("a figure is the last value with its change, and a line through all of them", async ({ page, request }) => {
  await openGallery(page, MARCH);
  const levels = newestFirst(await answer(request, "kpi", MARCH)).map((row) => Number(row.level)).reverse();
  const [before, last] = levels.slice(-2) as [number, number];
  const figure = page.getByTestId("kpi-kpi");
  const text = await textOf(figure);
  expect(text).toContain("points");
  expect(shows(text, last), `${text} for ${last}`).toBe(true);
  await expect(figure).toHaveAttribute("data-direction", last > before ? "up" : "down");
  const note = await textOf(page.getByTestId("tile-kpi").locator(".kpi-note"));
  expect(note).toContain(last > before ? "▲" : "▼");
  expect(note).toContain("31 Mar 2026");
  expect(shows(note, (last / before - 1) * 100), note).toBe(true);

  const spark = page.getByTestId("tile-kpi").locator(".spark path");
  await expect(spark).toBeVisible();
  const box = (await spark.boundingBox())!;
  expect(box.width).toBeGreaterThan(100);
  expect(box.height).toBeGreaterThan(20);
  const path = (await spark.getAttribute("d"))!.slice(1).split("L").map((place) => place.split(" ").map(Number) as [number, number]);
  expect(path).toHaveLength(levels.length);
  const [low, high] = [Math.min(...levels), Math.max(...levels)];
  for (const [index, [x, y]] of path.entries()) {
    // From edge to edge of 240 by 40, without 2 on each side.
    expect(Math.abs(x - (2 + (236 * index) / (levels.length - 1))), `x of ${index}`).toBeLessThan(0.06);
    expect(Math.abs(y - (38 - (36 * (levels[index]! - low)) / (high - low))), `y of ${index}`).toBeLessThan(0.06);
  }
});

test("a pivot table has sums of its rows, its columns and all", async ({ page }) => {
  await openGallery(page, MARCH);
  expect(await table(page.getByTestId("table-pivot"))).toEqual({
    header: ["Sector", "EUR", "USD", "JPY", "All"],
    rows: [
      ["Energy", "3", "5", "", "8"],
      ["Utilities", "4", "", "", "4"],
      ["Technology", "", "9", "2", "11"],
      ["All", "7", "14", "2", "23"],
    ],
  });
});

test("a data grid has the rows of its statement", async ({ page, request }) => {
  await openGallery(page, MARCH);
  const { header, rows } = await table(page.getByTestId("table-rows"));
  expect(header).toEqual(["At", "a", "b"]);
  expect(rows.length).toBeGreaterThan(10);
  const first = await sql(
    request,
    `SELECT instant AS at, sin(extract(epoch FROM instant) / 20000) * 10 AS a, cos(extract(epoch FROM instant) / 31000) * 8 AS b
     FROM instants(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-02', INTERVAL '1 second') ORDER BY at LIMIT ${rows.length}`,
  );
  expectSeries(rows, first, ["a", "b"]);
});

test("a bitemporal plane tells what is known from what is known no longer", async ({ page }) => {
  await openGallery(page, MARCH);
  await expectColours(page, "plane", { "--series-1": GROUND, "--chart-text": GROUND });
  expect(await twin(page, "plane")).toEqual([
    ["15 Mar 2026", "–", "25 Mar 2026", "–", "4.310\u00a0%"],
    ["15 Mar 2026", "–", "10 Mar 2026", "25 Mar 2026", "4.300\u00a0%"],
    ["1 Mar 2026", "15 Mar 2026", "3 Apr 2026", "–", "4.250\u00a0%"],
    ["1 Mar 2026", "15 Mar 2026", "2 Mar 2026", "3 Apr 2026", "4.125\u00a0%"],
  ]);
  expect(await header(page, "plane")).toEqual(["Effective", "Effective until", "Known", "Known until", "Coupon"]);
});

test("a revision fan has a line for each time something was known, each as long as what was known", async ({ page, request }) => {
  await openGallery(page, MARCH);
  await expectColours(page, "fan", { "--series-1": SEEN, "--series-2": SEEN, "--series-3": SEEN });
  const known = ["10 Jan 2026", "9 Feb 2026", "11 Mar 2026"];
  await expect(legend(page, "fan")).toHaveText(known);
  const days = new Map<string, Row>();
  for (const { known, at, level } of await answer(request, "fan", MARCH)) {
    days.set(String(at), { ...days.get(String(at)), at, [String(Date.parse(String(known)))]: level });
  }
  const columns = known.map((day) => String(instant(day)));
  const rows = newestFirst([...days.values()]);
  expect(columns.map((column) => rows.filter((row) => row[column] !== undefined).length)).toEqual([5, 20, 35]);
  expectSeries(await twin(page, "fan"), rows, columns, "");
  expect(await header(page, "fan")).toEqual(["Day, UTC", ...known.map((day) => `${day}, points`)]);
});
