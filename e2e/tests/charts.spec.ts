// Charts under the hand: switched by their legend, zoomed and moved, read out, enlarged, sharp, and beside an earlier period.
import type { Locator, Page } from "@playwright/test";
import { daysAgo, expect, open, PAGES, pixels, settled, sql, test, textOf, twin } from "./support";

// The known time stands still, so that nothing is read anew while a test looks at it.
const past = { from: daysAgo(100), to: daysAgo(40), known: `${daysAgo(39)}T12:00:00Z` };
const coordinates = `from=${past.from}&to=${past.to}&known=${past.known}`;
const market = `${PAGES.market}?${coordinates}`;
const gallery = `/dashboards/gallery?${coordinates}`;
const finer = `/dashboards/finer?from=2026-01-01&to=2026-01-12&known=${past.known}`;
const range = `p.valid_from >= TIMESTAMP '${past.from}' AND p.valid_from < TIMESTAMP '${daysAgo(39)}'`;

const drawing = (page: Page, chart: string): Locator => page.getByTestId(`chart-${chart}`).locator("canvas").first();
const overlay = (page: Page, chart: string): Locator => page.getByTestId(`chart-${chart}`).locator("canvas.chart-overlay");

/** What a chart reads out: where, and what stands there. */
async function readOut(page: Page, chart: string): Promise<string[]> {
  return (await textOf(page.getByTestId(`tile-${chart}`).locator(".chart-readout"))).split(" · ");
}

/** `31 Mar 2026` as 2026-03-31; what is no day as it is. */
function isoDay(text: string): string {
  const at = Date.parse(`${text} UTC`);
  return Number.isNaN(at) ? text : new Date(at).toISOString().slice(0, 10);
}

/** Moves the pointer to a place of a chart, as a share of its width. */
async function point(page: Page, chart: string, across: number): Promise<void> {
  const canvas = page.getByTestId(`chart-${chart}`);
  const box = (await canvas.boundingBox())!;
  await canvas.hover({ position: { x: box.width * across, y: box.height / 2 } });
}

/** A range of effective time in milliseconds. */
interface Stretch {
  from: number;
  to: number;
}

const width = ({ from, to }: Stretch): number => to - from;
/** What is asked for reaches beyond what is shown by a fiftieth on both sides. */
const ASKED = 1.04;
/** What a turn of the wheel leaves. */
const ZOOM = 0.8;

/** The stretches that a page asks for in statements with these words, as it asks. */
function stretches(page: Page, words: string): Stretch[] {
  const asked: Stretch[] = [];
  page.on("request", (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname !== "/api/v1/sql") return;
    const inAddress = { sql: searchParams.get("sql"), parameters: JSON.parse(searchParams.get("parameters") ?? "{}") };
    const { sql, parameters } = (request.method() === "GET" ? inAddress : JSON.parse(request.postData() ?? "{}")) as {
      sql: string;
      parameters: Record<string, string>;
    };
    if (sql.includes(words)) asked.push({ from: Date.parse(parameters.from!), to: Date.parse(parameters.to!) });
  });
  return asked;
}

/** Turns the wheel over the middle of the chart of a value each second. */
async function zoomIn(page: Page, turns: number): Promise<void> {
  await page.getByTestId("chart-line").hover();
  await page.keyboard.down("Control");
  for (let turn = 0; turn < turns; turn += 1) await page.mouse.wheel(0, -100);
  await page.keyboard.up("Control");
}

/** How many turns of the wheel have led from all seconds to what was asked for last. */
const turnsTo = (asked: Stretch[]): number => Math.log(width(asked.at(-1)!) / ASKED / 999_999_000) / Math.log(ZOOM);

/** Seconds from row to row of the chart's table, on the average of those in sight. */
async function spacing(page: Page): Promise<number> {
  await settled(page);
  const rows = await twin(page, "line");
  await page.getByTestId("chart-line-toggle").click();
  const times = rows.map(([at]) => Date.parse(at!.endsWith("UTC") ? at! : `${at} UTC`));
  expect(times.length, "rows in sight").toBeGreaterThan(5);
  return (times[0]! - times.at(-1)!) / (times.length - 1) / 1000;
}

/**
 * In how many separate places each column of a canvas has the colour of a property, from the first column that has it to the
 * last: a line across gives one, a gap in it none.
 */
async function strokes(canvas: Locator, property: string): Promise<number[]> {
  const columns = await canvas.evaluate((element, property) => {
    const canvas = element as HTMLCanvasElement;
    const { width, height } = canvas;
    const hex = getComputedStyle(canvas).getPropertyValue(property).trim();
    const wanted = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, width, height);
    const isColoured = (x: number, y: number): boolean => {
      const i = (y * width + x) * 4;
      return data[i + 3]! >= 128 && wanted.every((value, channel) => Math.abs(data[i + channel]! - value) <= 32);
    };
    const columns: number[] = [];
    for (let x = 0; x < width; x += 1) {
      let [places, before] = [0, false];
      for (let y = 0; y < height; y += 1) {
        const now = isColoured(x, y);
        if (now && !before) places += 1;
        before = now;
      }
      columns.push(places);
    }
    return columns;
  }, property);
  const first = columns.findIndex((places) => places > 0);
  const last = columns.findLastIndex((places) => places > 0);
  return first < 0 ? [] : columns.slice(first, last + 1);
}

test("the legend switches a series off and on, by pointer and by keyboard", async ({ page }) => {
  await open(page, gallery);
  const count = async (property: string): Promise<number> => (await pixels(drawing(page, "line"), property)).coloured;
  const item = page.getByTestId("tile-line").getByRole("button", { name: "Reference", exact: true });
  await expect(item).toHaveAttribute("aria-pressed", "true");
  const drawn = await count("--series-2");
  expect(drawn, "pixels of the reference").toBeGreaterThan(50);
  const isOff = async (): Promise<void> => {
    await expect(item).toHaveAttribute("aria-pressed", "false");
    await expect.poll(() => count("--series-2")).toBeLessThan(4);
    expect(await count("--series-1"), "pixels of the other series").toBeGreaterThan(50);
  };
  const isOn = async (): Promise<void> => {
    await expect(item).toHaveAttribute("aria-pressed", "true");
    await expect.poll(() => count("--series-2")).toBe(drawn);
  };
  await item.click();
  await isOff();
  await item.click();
  await isOn();
  await item.focus();
  await page.keyboard.press("Enter");
  await isOff();
  await expect(item).toBeFocused();
  await page.keyboard.press("Enter");
  await isOn();
});

test("zooming in by the wheel asks for finer rows, until each one is there", async ({ page }) => {
  const asked = stretches(page, "'1 second'");
  await open(page, finer);
  expect(asked.at(-1)).toEqual({ from: Date.parse("2026-01-01"), to: Date.parse("2026-01-13") });
  const coarse = await spacing(page);
  expect(coarse, "seconds between the rows of all").toBeGreaterThan(60);
  // Without Control the wheel scrolls: it does not count among the turns.
  await page.getByTestId("chart-line").hover();
  await page.mouse.wheel(0, -100);
  await zoomIn(page, 10);
  await expect.poll(() => turnsTo(asked)).toBeCloseTo(10, 1);
  const { from, to } = asked.at(-1)!;
  const margin = (to - from) * (0.02 / ASKED);
  const [first, last] = [new Date(from + margin).getUTCDate(), new Date(to - margin).getUTCDate()];
  await expect(page.getByTestId("tile-line").locator(".tile-note")).toHaveText(`↔ ${first} Jan – ${last} Jan 2026`);
  expect((await pixels(drawing(page, "line"), "--series-1")).coloured).toBeGreaterThan(50);

  // Buckets are up to five times as wide as their number asks for: a quarter is sure where the stretch is a twentieth.
  await zoomIn(page, 4);
  await expect.poll(() => turnsTo(asked)).toBeCloseTo(14, 1);
  expect(await spacing(page), "seconds between the rows of a twentieth").toBeLessThan(coarse / 4);

  await zoomIn(page, 18);
  await expect.poll(() => turnsTo(asked)).toBeCloseTo(32, 1);
  expect(await spacing(page), "seconds between the rows of a quarter of an hour").toBe(1);
});

test("what is zoomed into moves by drag and by keys, and all of it comes back", async ({ page }) => {
  const asked = stretches(page, "'1 second'");
  await open(page, finer);
  const all = asked.at(-1)!;
  const chart = page.getByTestId("chart-line");
  const note = page.getByTestId("tile-line").locator(".tile-note");
  const showAll = page.getByTestId("tile-line").getByRole("button", { name: "Show all", exact: true });
  await expect(showAll).toBeHidden();
  await zoomIn(page, 10);
  await expect.poll(() => turnsTo(asked)).toBeCloseTo(10, 1);
  await settled(page);
  const zoomed = asked.at(-1)!;
  const isAsked = async (from: number, wide: number, what: string): Promise<void> => {
    // Whole microseconds are asked for, and read here in milliseconds.
    const off = () => Math.max(Math.abs(asked.at(-1)!.from - from), Math.abs(width(asked.at(-1)!) - wide));
    await expect.poll(off, { message: what }).toBeLessThan(3);
    await settled(page);
  };

  const box = (await chart.boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.keyboard.down("Shift");
  await page.mouse.down();
  // In one go, so that there is nothing to ask for on the way.
  await page.mouse.move(x - 200, y);
  await page.mouse.up();
  await page.keyboard.up("Shift");
  await expect.poll(() => asked.at(-1)!.from).toBeGreaterThan(zoomed.from);
  await settled(page);
  const moved = asked.at(-1)!;
  expect(Math.abs(width(moved) - width(zoomed)), "milliseconds by which it is wider").toBeLessThan(3);
  // As far as the pointer went; the axis and its labels leave the frame a little narrower than the chart.
  const share = ((moved.from - zoomed.from) * ASKED) / width(zoomed);
  expect(share).toBeGreaterThan(200 / box.width);
  expect(share).toBeLessThan(240 / box.width);

  await chart.focus();
  await page.keyboard.press("PageDown");
  await isAsked(moved.from + (width(moved) / ASKED) * 0.5, width(moved), "half of a window further");
  await page.keyboard.press("PageUp");
  await isAsked(moved.from, width(moved), "the window before");

  const wide = () => width(asked.at(-1)!) / width(moved);
  await page.keyboard.press("+");
  await expect.poll(wide).toBeCloseTo(ZOOM, 4);
  expect(asked.at(-1)!.from).toBeGreaterThanOrEqual(moved.from - 3);
  expect(asked.at(-1)!.to).toBeLessThanOrEqual(moved.to + 3);
  await settled(page);
  await page.keyboard.press("-");
  await expect.poll(wide).toBeCloseTo(1, 4);
  await expect(note).toContainText("↔");
  await page.keyboard.press("0");
  await isAsked(all.from, width(all), "all of it by key");
  await expect(note).toHaveText("");
  await expect(showAll).toBeHidden();
  await expect(chart).toBeFocused();

  // A stretch that is marked is zoomed into; the button leads back.
  await page.mouse.move(box.x + box.width * 0.4, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, y);
  await page.mouse.up();
  await expect.poll(() => width(asked.at(-1)!) / width(all)).toBeLessThan(0.25);
  await settled(page);
  await showAll.click();
  await isAsked(all.from, width(all), "all of it by the button");
  await expect(showAll).toBeHidden();
});

test("the instant under the pointer is read out on the other charts too", async ({ page }) => {
  await open(page, market);
  const rest = (await readOut(page, "sectors"))[0]!;
  expect((await pixels(overlay(page, "sectors"), "--chart-cursor")).drawn, "crosshair before").toBe(0);
  const days = new Set([rest]);
  for (const across of [0.35, 0.65]) {
    await point(page, "prices", across);
    await expect(async () => {
      const [day] = await readOut(page, "prices");
      expect(days.has(day!), `${day} is another day`).toBe(false);
      const [other, ...values] = await readOut(page, "sectors");
      expect(other).toBe(day);
      expect(values.length).toBeGreaterThan(2);
    }).toPass({ timeout: 10_000 });
    days.add((await readOut(page, "prices"))[0]!);
    expect((await pixels(overlay(page, "sectors"), "--chart-cursor")).coloured, "crosshair there").toBeGreaterThan(20);
  }
  await page.mouse.move(0, 0);
  await expect.poll(async () => (await readOut(page, "sectors"))[0]).toBe(rest);
  await expect.poll(async () => (await pixels(overlay(page, "sectors"), "--chart-cursor")).drawn).toBe(0);

  await page.getByTestId("chart-sectors").focus();
  await page.keyboard.press("Home");
  await expect.poll(async () => isoDay((await readOut(page, "sectors"))[0]!) < isoDay(rest)).toBe(true);
  const [first] = await readOut(page, "sectors");
  await expect.poll(async () => (await readOut(page, "prices"))[0]).toBe(first);
});

test("one tile takes the full screen, is drawn anew for it, and gives the focus back", async ({ page }) => {
  // With what is known now: elsewhere Escape also returns to that.
  await open(page, `${PAGES.market}?from=${past.from}&to=${past.to}`);
  const tile = page.locator(".dashboard-tile", { has: page.getByTestId("tile-sectors") });
  const canvas = drawing(page, "sectors");
  const button = tile.getByRole("button", { name: "Show Value of the index by sector on the full screen" });
  const size = () => canvas.evaluate((element) => ({ width: element.clientWidth, height: element.clientHeight }));
  const isSharp = () => canvas.evaluate((element) => (element as HTMLCanvasElement).width === element.clientWidth * devicePixelRatio);
  const isFull = () => tile.evaluate((element) => document.fullscreenElement === element);
  const coloured = async () => (await pixels(canvas, "--series-1")).coloured;
  await expect(button).toHaveText("⤢");
  await button.scrollIntoViewIfNeeded();
  const [before, few] = [await size(), await coloured()];
  expect(few).toBeGreaterThan(50);

  await button.click();
  await expect.poll(isFull).toBe(true);
  await page.mouse.move(0, 0);
  await expect.poll(async () => (await size()).width).toBeGreaterThan(before.width * 1.5);
  expect((await size()).height).toBeGreaterThan(before.height * 1.5);
  await expect.poll(isSharp).toBe(true);
  await expect.poll(coloured).toBeGreaterThan(few * 2);

  await page.keyboard.press("Escape");
  // Where the browser has no window, nobody but the page hears of the key.
  await page.evaluate(async () => {
    if (document.fullscreenElement) await document.exitFullscreen().catch(() => {});
  });
  await expect.poll(isFull).toBe(false);
  await expect.poll(async () => (await size()).width).toBe(before.width);
  await expect.poll(isSharp).toBe(true);
  await expect.poll(coloured).toBeGreaterThan(50);
  await expect(button).toBeFocused();
});

test("what a line reads out is what SQL says, to the last digit that is shown", async ({ page, request }) => {
  await open(page, market);
  // Exact decimals are rounded alike by the page and by SQL: a half goes away from zero.
  const rows = await sql(
    request,
    `SELECT p.instrument_id, p.valid_from AS "day", CAST(CAST(p.close AS DECIMAL(18, 2)) AS VARCHAR) AS close
     FROM prices AS p JOIN (SELECT instrument_id FROM constituents
       WHERE index_id = 'TMK30' AND (valid_to IS NULL OR valid_to > TIMESTAMP '${past.from}')
       GROUP BY instrument_id ORDER BY max(weight) DESC, instrument_id LIMIT 8) AS c ON c.instrument_id = p.instrument_id
     WHERE ${range} ORDER BY p.valid_from`,
    { system_time: past.known },
  );
  const dayOf = (row: (typeof rows)[number]): string => String(row.day).slice(0, 10);
  const closes = new Map(rows.map((row) => [`${String(row.instrument_id)} ${dayOf(row)}`, String(row.close)]));
  const place = async () => isoDay((await readOut(page, "prices"))[0]!);
  const check = async (): Promise<string> => {
    const [at, ...read] = await readOut(page, "prices");
    const values = read.filter((part) => !part.startsWith("●"));
    expect(values.length, `values on ${at}`).toBeGreaterThan(5);
    for (const value of values) {
      // What has no price on that day says of which day it is.
      const [, name, shown, beside] = /^(\S+) ([\d,]+\.\d\d)(?: \((.+)\))?$/.exec(value) ?? [];
      expect(shown?.replaceAll(",", ""), `${value} on ${at}`).toBe(closes.get(`${name} ${isoDay(beside ?? at!)}`) ?? "a price");
    }
    return isoDay(at!);
  };
  const seen = new Set([await place()]);
  for (const across of [0.3, 0.55, 0.8]) {
    await point(page, "prices", across);
    await expect.poll(async () => seen.has(await place())).toBe(false);
    seen.add(await check());
  }
  await page.mouse.move(0, 0);
  await page.getByTestId("chart-prices").focus();
  await page.keyboard.press("Home");
  await expect.poll(place).toBe(dayOf(rows[0]!));
  await check();
  await page.keyboard.press("ArrowRight");
  await expect.poll(place).toBe(dayOf(rows.find((row) => dayOf(row) > dayOf(rows[0]!))!));
  await check();
});

test("a cell of a heat map is read out with what SQL makes of it", async ({ page, request }) => {
  await open(page, gallery);
  const cell = async () => (await readOut(page, "heat-map")).join(" · ");
  const check = async (): Promise<string> => {
    await expect.poll(cell).toMatch(/^\d+ · Load \d+ · Weekday [A-Z][a-z]+$/);
    const said = await cell();
    const [, hour, load, weekday] = /^(\d+) · Load (\d+) · Weekday (\w+)$/.exec(said)!;
    const rows = await sql(
      request,
      `SELECT CAST(round(50 + 40 * sin(${hour} / 3.8) + extract(day FROM instant)) AS BIGINT) AS load
       FROM instants(TIMESTAMP '2026-03-02', TIMESTAMP '2026-03-09', INTERVAL '1 day') WHERE to_char(instant, '%a') = '${weekday}'`,
    );
    expect(rows.map((row) => String(row.load)), said).toEqual([load]);
    return said;
  };
  // Not in the middle, which is between two columns.
  await point(page, "heat-map", 0.56);
  const pointed = await check();
  await page.mouse.move(0, 0);
  await expect.poll(cell).toBe("");
  await page.getByTestId("chart-heat-map").focus();
  await page.keyboard.press("Home");
  await expect.poll(cell).toMatch(/^0 · .* · Weekday Mon$/);
  const first = await check();
  await page.keyboard.press("ArrowRight");
  await expect.poll(cell).not.toBe(first);
  expect(new Set([pointed, first, await check()]).size, "different cells").toBe(3);
});

for (const ratio of [1.5, 2]) {
  test.describe(`with ${ratio} pixels of the screen to one of the page`, () => {
    test.use({ deviceScaleFactor: ratio });

    test("charts are sharp, and no frame is blank while the window changes", async ({ page }) => {
      await open(page, `${PAGES["benchmark-index"]}?${coordinates}`);
      const canvases = page.getByTestId("chart-level").locator("canvas");
      await expect(canvases).toHaveCount(2);
      const isSharp = () =>
        canvases.evaluateAll((all, ratio) => {
          const near = (device: number, css: number) => Math.abs(device - css * ratio) <= 1;
          const fits = (canvas: HTMLCanvasElement) => near(canvas.width, canvas.clientWidth) && near(canvas.height, canvas.clientHeight);
          return devicePixelRatio === ratio && all.every((canvas) => fits(canvas as HTMLCanvasElement));
        }, ratio);
      await expect.poll(isSharp).toBe(true);
      const widest = await canvases.first().evaluate((canvas) => canvas.clientWidth);
      const seen = await canvases.first().evaluateHandle((element) => {
        const canvas = element as HTMLCanvasElement;
        const hex = getComputedStyle(canvas).getPropertyValue("--series-1").trim();
        const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)) as [number, number, number];
        const seen = { coloured: [] as number[], isOver: false };
        const look = (): void => {
          const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
          const near = (at: number, wanted: number): boolean => Math.abs(data[at]! - wanted) <= 24;
          let coloured = 0;
          for (let i = 0; i < data.length; i += 4) {
            if (data[i + 3]! > 0 && near(i, red) && near(i + 1, green) && near(i + 2, blue)) coloured += 1;
          }
          seen.coloured.push(coloured);
          if (!seen.isOver) requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
        return seen;
      });
      const frames = () => seen.evaluate(({ coloured }) => coloured.length);
      for (const width of [1400, 1340, 1280, 1200, 1120, 1040, 960, 900]) {
        const before = await frames();
        await page.setViewportSize({ width, height: 900 });
        await expect.poll(isSharp).toBe(true);
        await expect.poll(frames).toBeGreaterThan(before + 2);
      }
      const coloured = await seen.evaluate((seen) => {
        seen.isOver = true;
        return seen.coloured;
      });
      expect(coloured.length).toBeGreaterThan(20);
      expect(Math.min(...coloured), "least pixels of the line in a frame").toBeGreaterThan(50);
      expect(await canvases.first().evaluate((canvas) => canvas.clientWidth)).toBeLessThan(widest - 300);
    });
  });
}

test("an earlier period is a dashed line below the one of today", async ({ page }) => {
  await open(page, finer);
  const canvas = drawing(page, "steady");
  const alone = await strokes(canvas, "--series-1");
  expect(alone.length, "columns of the line").toBeGreaterThan(500);
  expect(alone.filter((places) => places !== 1).length, "columns that are not those of one whole line").toBe(0);

  await page.getByTestId("compare-select").selectOption("prev");
  await expect(page.getByTestId("tile-steady").locator(".tile-note")).toHaveText("compared with 20 Dec – 31 Dec 2025, dashed");
  await settled(page);
  await expect.poll(async () => Math.max(...(await strokes(canvas, "--series-1")))).toBe(2);
  // One line all over, and another that comes and goes.
  const both = await strokes(canvas, "--series-1");
  expect(both.filter((places) => places < 1).length, "gaps of the line of today").toBe(0);
  const gaps = both.filter((places) => places === 1).length / both.length;
  expect(gaps, "share of gaps in the line before").toBeGreaterThan(0.3);
  expect(gaps).toBeLessThan(0.65);
  const changes = both.filter((places, at) => at > 0 && places !== both[at - 1]).length;
  expect(changes, "ends of dashes").toBeGreaterThan(both.length / 7);

  await page.getByTestId("compare-select").selectOption("none");
  await expect.poll(async () => Math.max(...(await strokes(canvas, "--series-1")))).toBe(1);
});
