import type { APIRequestContext, Page } from "@playwright/test";
import { commit, decimals, expect, number, open, PAGES, pixels, shows, sql, table, test, textOf } from "./support";

const INDEX = "TMK30";
const DAY_MS = 86_400_000;

/** `2026-03-31`, so many days before today. */
const daysAgo = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
const dayAfter = (day: string): string => new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10);
/** `31 Mar 2026`, as the screen writes it. */
const dayText = (day: string): string =>
  new Date(`${day.slice(0, 10)}T00:00:00Z`).toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  }).replace("Sept", "Sep");

interface Range {
  from: string;
  to: string;
  /** A system time; missing is now. */
  known?: string;
}

const address = ({ from, to, known }: Range): string =>
  `${PAGES["benchmark-index"]}?from=${from}&to=${to}${known ? `&known=${known}` : ""}`;

/** The level of each day of the range, by day as the screen writes it, in order; none of days on which a price is missing. */
async function levels(request: APIRequestContext, { from, to, known }: Range): Promise<Map<string, number>> {
  const at = known ? { system_time: known } : {};
  const members = await sql(request, `SELECT valid_from, valid_to FROM constituents FOR VALID_TIME ALL WHERE index_id = '${INDEX}'`, at);
  const on = (day: string): number =>
    members.filter((row) => String(row.valid_from) <= day && (row.valid_to === null || String(row.valid_to) > day)).length;
  const rows = await sql(
    request,
    `SELECT p.valid_from AS "day", SUM(p.close * c.index_shares) AS "level", COUNT(*) AS priced
     FROM prices p JOIN constituents c ON c.instrument_id = p.instrument_id
       AND c.valid_from <= p.valid_from AND (c.valid_to IS NULL OR c.valid_to > p.valid_from)
     WHERE c.index_id = '${INDEX}' AND p.valid_from >= TIMESTAMP '${from}' AND p.valid_from < TIMESTAMP '${dayAfter(to)}'
     GROUP BY p.valid_from ORDER BY p.valid_from`,
    at,
  );
  const whole = rows.filter((row) => Number(row.priced) === on(String(row.day)));
  return new Map(whole.map((row) => [dayText(String(row.day)), Number(row.level)]));
}

async function lastLevel(request: APIRequestContext, range: Range): Promise<number> {
  const last = [...(await levels(request, range)).values()].at(-1);
  if (last === undefined) throw new Error(`no level in ${JSON.stringify(range)}`);
  return last;
}

const figure = (page: Page, name: string): Promise<string> => textOf(page.getByTestId(name));

/** Waits until the level on screen is the one that SQL gives for these coordinates. */
async function expectLevel(page: Page, request: APIRequestContext, range: Range): Promise<void> {
  const level = await lastLevel(request, range);
  await expect.poll(async () => shows(await figure(page, "kpi-last"), level), { message: `level ${level}` }).toBe(true);
}

/** A settled past: two months, seen from noon of the day after its end. */
const past: Required<Range> = { from: daysAgo(100), to: daysAgo(40), known: `${daysAgo(39)}T12:00:00Z` };

test("the figures are those of SQL at the same coordinates", async ({ page, request }) => {
  const then = [...(await levels(request, past)).values()];
  const now = await lastLevel(request, { from: past.from, to: past.to });
  const [before, last] = then.slice(-2) as [number, number];
  await open(page, address(past));
  await expectLevel(page, request, past);
  expect(shows(await figure(page, "kpi-change"), last - before)).toBe(true);
  expect(shows(await figure(page, "kpi-restated"), now - last)).toBe(true);
});

test("the last level agrees with a reading of both tables as of that instant", async ({ page, request }) => {
  const [row] = await sql(
    request,
    `SELECT MAX(valid_from) AS "day" FROM prices FOR SYSTEM_TIME AS OF TIMESTAMP '${past.known}'
     WHERE valid_from < TIMESTAMP '${dayAfter(past.to)}'`,
  );
  const at = `FOR VALID_TIME AS OF TIMESTAMP '${String(row?.day)}' FOR SYSTEM_TIME AS OF TIMESTAMP '${past.known}'`;
  const [sum] = await sql(
    request,
    `SELECT SUM(p.close * c.index_shares) AS "level" FROM prices ${at} AS p
     JOIN constituents ${at} AS c ON c.instrument_id = p.instrument_id WHERE c.index_id = '${INDEX}'`,
  );
  await open(page, address(past));
  expect(shows(await figure(page, "kpi-last"), Number(sum?.level))).toBe(true);
});

test("the table twin has every point of the chart, then and now", async ({ page, request }) => {
  const now = await levels(request, { from: past.from, to: past.to });
  const then = await levels(request, past);
  await open(page, address(past));
  await page.getByTestId("chart-level-toggle").click();
  const twin = await table(page.getByTestId("table-level"));
  // The demo corrects old prices at any moment: what was known now is what it was before or behind the page.
  const after = await levels(request, { from: past.from, to: past.to });
  expect(twin.header).toHaveLength(3);
  expect(twin.rows.map((row) => row[0]).reverse()).toEqual([...now.keys()]);
  for (const [day, nowText, thenText] of twin.rows as [string, string, string][]) {
    expect(decimals(nowText)).toBe(2);
    const known = [now, after].map((levels) => levels.get(day)!);
    expect(known.some((level) => shows(nowText, level)), `${day} now: ${nowText}, SQL ${known.join(" or ")}`).toBe(true);
    const level = then.get(day);
    // As it was known then a price may have been withdrawn.
    expect(level === undefined ? thenText === "" : shows(thenText, level), `${day} then: ${thenText}, SQL ${level}`).toBe(true);
  }
  // Without a correction in two months the comparison would show nothing.
  expect(twin.rows.some((row) => row[1] !== row[2])).toBe(true);
});

test("the level is drawn in its series' colour, in both themes", async ({ page }) => {
  const canvas = page.getByTestId("chart-level").locator("canvas").first();
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    await open(page, address({ from: past.from, to: past.to }));
    // A line of at least one pixel in height for each of a few hundred columns.
    await expect.poll(async () => (await pixels(canvas, "--series-1")).coloured, { message: theme }).toBeGreaterThan(300);
    expect((await pixels(canvas, "--series-6")).coloured, `${theme}: a colour that no series has`).toBeLessThan(20);
  }
});

test("moving known changes the figures to those SQL gives there", async ({ page, request }) => {
  const range = { from: past.from, to: past.to };
  await open(page, address(range));
  await expectLevel(page, request, range);
  await expect(page.getByTestId("known-banner")).toBeHidden();

  const slider = page.getByTestId("known-slider");
  await page.getByTestId("known-field").fill(`${daysAgo(38)} 09:00`);
  await page.getByTestId("known-field").press("Enter");
  for (const days of [39, 60]) {
    await slider.focus();
    while (Date.parse(new URL(page.url()).searchParams.get("known")!) > Date.now() - days * DAY_MS) {
      const before = page.url();
      await page.keyboard.press("Shift+ArrowDown");
      await expect(page).not.toHaveURL(before);
    }
    await expect(page.getByTestId("known-banner")).toBeVisible();
    const known = new URL(page.url()).searchParams.get("known")!;
    await expectLevel(page, request, { ...range, known });
    const last = await lastLevel(request, { ...range, known });
    const [day, shown] = [...(await levels(request, { ...range, known }))].at(-1)!;
    expect(shown).toBe(last);
    const now = (await levels(request, range)).get(day)!;
    await expect.poll(async () => shows(await figure(page, "kpi-restated"), now - last)).toBe(true);
  }
});

test("a typed known time gives the same as its link, and says how much it hides", async ({ page, request }) => {
  const range = { from: past.from, to: past.to };
  await open(page, address(range));
  await page.getByTestId("known-field").fill(`${daysAgo(39)} 12:00`);
  await page.getByTestId("known-field").press("Enter");
  await expect.poll(() => new URL(page.url()).searchParams.get("known")).toBe(past.known);
  await expectLevel(page, request, past);
  const [hidden] = await sql(
    request,
    `SELECT SUM(n) AS n FROM (${["prices", "constituents", "instruments"]
      .map(
        (dataset) => `SELECT COUNT(*) AS n FROM ${dataset} WHERE system_from > TIMESTAMP '${past.known}'
     AND valid_from < TIMESTAMP '${dayAfter(past.known.slice(0, 10))}'
     AND valid_from < TIMESTAMP '${dayAfter(past.to)}' AND (valid_to IS NULL OR valid_to > TIMESTAMP '${past.from}')`,
      )
      .join(" UNION ALL ")}) AS each_dataset`,
  );
  const banner = await textOf(page.getByTestId("known-banner"));
  expect(banner).toContain(`As known on ${dayText(daysAgo(39))}, 12:00 UTC`);
  expect(number(banner.slice(banner.indexOf("UTC")))).toBe(Number(hidden?.n));

  await page.getByTestId("known-field").fill("next spring");
  await page.getByTestId("known-field").press("Enter");
  await expect(page.getByText("'next spring' is not a time", { exact: false })).toBeVisible();
  await expectLevel(page, request, past);
});

test("by keyboard alone: to the slider, down in known, and back to now", async ({ page, request }) => {
  const range = { from: past.from, to: past.to };
  await open(page, address(range));
  const slider = page.getByTestId("known-slider");
  const focused = () => slider.evaluate((element) => element === document.activeElement);
  for (let presses = 0; presses < 60 && !(await focused()); presses += 1) await page.keyboard.press("Tab");
  expect(await focused()).toBe(true);

  await expect(slider).toHaveAttribute("aria-valuenow", (await slider.getAttribute("aria-valuemax"))!);
  await page.keyboard.press("ArrowDown");
  await expect(slider).toHaveAttribute("aria-valuetext", /:00 UTC$/);
  const once = Number(await slider.getAttribute("aria-valuenow"));
  await page.keyboard.press("Shift+ArrowDown");
  await expect(slider).toHaveAttribute("aria-valuenow", String(once - 10));
  await expect(page.getByTestId("known-banner")).toBeVisible();
  await expectLevel(page, request, { ...range, known: new URL(page.url()).searchParams.get("known")! });
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("known-banner")).toBeHidden();
  expect(new URL(page.url()).searchParams.has("known")).toBe(false);
});

test("the constituents add up to the level", async ({ page, request }) => {
  await open(page, address(past));
  const { rows } = await table(page.getByTestId("table-constituents"));
  expect(rows).toHaveLength(30);
  const weights = rows.reduce((sum, row) => sum + number(row[3]!), 0);
  expect(weights).toBeCloseTo(100, 2);
  const contributions = rows.reduce((sum, row) => sum + number(row[5]!), 0);
  expect(contributions).toBeCloseTo(await lastLevel(request, past), 2);
});

test("a range without data says why", async ({ page }) => {
  await open(page, address({ from: "1999-01-01", to: "1999-01-31" }));
  await expect(page.getByTestId("tile-level")).toHaveAttribute("data-state", "empty");
  await expect(page.getByTestId("tile-level")).toContainText("Choose a longer one");
});

test("a correction committed through the API appears without a reload", async ({ page, request }) => {
  const range = { from: past.from, to: past.to };
  await open(page, address(range));
  await expectLevel(page, request, range);
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  const shown = number(await figure(page, "kpi-last"));
  const [heaviest] = await sql(
    request,
    `SELECT p.instrument_id, p.valid_from AS "day", p.close, p.volume FROM prices p JOIN constituents c
       ON c.instrument_id = p.instrument_id AND c.valid_from <= p.valid_from AND (c.valid_to IS NULL OR c.valid_to > p.valid_from)
     WHERE c.index_id = '${INDEX}' AND p.valid_from < TIMESTAMP '${dayAfter(range.to)}'
     ORDER BY p.valid_from DESC, c.weight DESC LIMIT 1`,
  );
  if (!heaviest) throw new Error("no constituent");
  const day = String(heaviest.day).slice(0, 10);
  const close = Number(heaviest.close) + 10;
  const price = { instrument_id: heaviest.instrument_id, close: close.toFixed(4), volume: Number(heaviest.volume), source: "exchange" };
  await commit(request, "prices", [{ op: "put", ...price, valid_from: day, valid_to: dayAfter(day), known_at: new Date().toISOString() }]);
  const answered = Date.now();

  // The demo corrects prices of its own meanwhile, so what it has to be is asked for each time.
  const follows = async (): Promise<boolean> => {
    const level = await figure(page, "kpi-last");
    return number(level) !== shown && shows(level, await lastLevel(request, range));
  };
  await expect.poll(follows, { intervals: [50] }).toBe(true);
  test.info().annotations.push({ type: "delay", description: `${Date.now() - answered} ms from the commit's answer to the screen` });
  expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);

  // What was known before stays what it was.
  await open(page, address(past));
  await expectLevel(page, request, past);
});
