import type { Request } from "@playwright/test";
import {
  chooseFirst, daysAgo, expect, FURTHER_DASHBOARDS, number, open, PAGES, pixels, settled, shows, sql, table, test, textOf,
} from "./support";

/** A settled past: two months, seen from noon of the day after its end. */
const past = { from: daysAgo(100), to: daysAgo(40), known: `${daysAgo(39)}T12:00:00Z` };
const address = `${PAGES.market}?from=${past.from}&to=${past.to}&known=${past.known}`;
const range = `valid_from >= TIMESTAMP '${past.from}' AND valid_from < TIMESTAMP '${daysAgo(39)}'`;
const then = { system_time: past.known };

test("figures, charts and tables say what SQL says at the same coordinates", async ({ page, request }) => {
  await open(page, address);
  const [sums] = await sql(
    request,
    `SELECT sum(volume) AS traded FROM prices WHERE ${range} GROUP BY valid_from ORDER BY valid_from DESC LIMIT 1`,
    then,
  );
  expect(shows(await textOf(page.getByTestId("kpi-traded")), Number(sums!.traded))).toBe(true);
  const [latest] = await sql(
    request,
    `SELECT instrument_id, close FROM prices WHERE ${range} ORDER BY valid_from DESC, instrument_id LIMIT 1`,
    then,
  );
  const [first] = (await table(page.getByTestId("table-latest"))).rows;
  expect(first![0]).toBe(latest!.instrument_id);
  expect(number(first![1]!)).toBe(Number(latest!.close));
  const { coloured } = await pixels(page.getByTestId("chart-prices").locator("canvas").first(), "--series-1");
  expect(coloured, "pixels of the first series").toBeGreaterThan(50);
});

const dayAfter = (day: string): string => new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);

test("corrections are counted day by day up to the known time, those after the range too, and none is none", async ({ page, request }) => {
  const all = "FROM prices FOR SYSTEM_TIME ALL WHERE source = 'correction'";
  // One that became known when the range of what it corrects had ended.
  const iso = (column: string): string => `to_char(${column}, '%Y-%m-%d') AS ${column}`;
  const [late] = await sql(
    request,
    `SELECT ${iso("valid_from")}, ${iso("system_from")} FROM (SELECT valid_from, system_from ${all}
     AND system_from > valid_from + INTERVAL '2 days' AND system_from < TIMESTAMP '${daysAgo(2)}' ORDER BY system_from DESC LIMIT 1)`,
  );
  const [to, day] = [String(late!.valid_from), String(late!.system_from)];
  const from = new Date(Date.parse(to) - 30 * 86_400_000).toISOString().slice(0, 10);
  const [corrected] = await sql(
    request,
    `SELECT count(*) AS n ${all} AND valid_from >= TIMESTAMP '${from}' AND valid_from < TIMESTAMP '${dayAfter(to)}'
     AND system_from >= TIMESTAMP '${day}' AND system_from < TIMESTAMP '${dayAfter(day)}'`,
  );
  expect(Number(corrected!.n)).toBeGreaterThan(0);
  const counted = async (known: string) => {
    await open(page, `${PAGES.market}?from=${from}&to=${to}&known=${known}`);
    return number(await textOf(page.getByTestId("kpi-corrected")));
  };
  expect(await counted(`${day}T23:59:59Z`)).toBe(Number(corrected!.n));
  // On a day without any the figure is none, and not that of the last day that had some.
  expect(await counted(`${dayAfter(day)}T00:00:01Z`)).toBe(0);
});

test("all tiles of a page read under one snapshot", async ({ page }) => {
  const snapshots = new Set<string>();
  let asked = 0;
  const look = (request: Request): void => {
    if (!request.url().includes("/api/v1/sql")) return;
    const named = request.method() === "GET"
      ? new URL(request.url()).searchParams.get("snapshot")
      : (JSON.parse(request.postData() ?? "{}") as { snapshot?: string }).snapshot;
    snapshots.add(named ?? "none");
    asked += 1;
  };
  page.on("request", look);
  await open(page, address);
  expect(asked).toBeGreaterThanOrEqual(12);
  expect([...snapshots]).toHaveLength(1);
});

test("a choice on one tile narrows down all others, and back returns", async ({ page, request }) => {
  await open(page, address);
  const before = (await textOf(page.getByTestId("kpi-traded")));
  await chooseFirst(page, "chart-weights");
  await expect(page).toHaveURL(/only=sector/);
  await settled(page);
  const sector = await textOf(page.getByTestId("filters").locator("strong"));
  const rows = await sql(request, "SELECT DISTINCT instrument_id FROM instruments WHERE sector = $sector", {
    ...then,
    parameters: { sector },
  });
  const members = new Set(rows.map((row) => row.instrument_id));
  await expect
    .poll(async () => (await table(page.getByTestId("table-latest"))).rows.every(([instrument]) => members.has(instrument)))
    .toBe(true);
  // What reads nothing that has a sector says that it is of all of them.
  const note = (id: string) => page.getByTestId(`tile-${id}`).locator(".tile-note");
  await expect(note("members")).toHaveText("not narrowed by sector");
  await expect(note("traded-by")).not.toContainText("not narrowed");
  await page.goBack();
  await expect(page).not.toHaveURL(/only=/);
  await settled(page);
  await expect(note("members")).toHaveText("");
  await expect(page.getByTestId("kpi-traded")).toHaveText(before);
});

test("a row opens its versions, two of which are compared; Escape closes them", async ({ page, request }) => {
  await open(page, address);
  const box = page.getByRole("region", { name: "Prices, latest first: table" });
  await box.focus();
  await page.keyboard.press("ArrowDown");
  const [[instrument]] = (await table(page.getByTestId("table-latest"))).rows as [string[]];
  await page.keyboard.press("Enter");
  const dialog = page.getByTestId("versions");
  await expect(dialog).toBeVisible();
  await expect(page).toHaveURL(new RegExp(`versions=prices:${instrument}`));
  await settled(page);
  const [first] = await sql(
    request,
    `SELECT close FROM history(prices) WHERE instrument_id = '${instrument}' ORDER BY valid_from, system_from LIMIT 1`,
  );
  const shown = await table(page.getByTestId("table-versions"));
  expect(number(shown.rows[0]![shown.header.indexOf("close")]!)).toBe(Number(first!.close));
  await page.getByTestId("chart-versions").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  const compared = await table(page.getByTestId("table-compared"));
  const versions = await table(page.getByTestId("table-versions"));
  expect(compared.rows.map(([name]) => name)).toEqual(versions.header);
  expect(compared.rows.map(([, a]) => a)).toEqual(versions.rows[0]);
  expect(compared.rows.map(([, , b]) => b)).toEqual(versions.rows[1]);
  const [, a, b, difference] = compared.rows.find(([name]) => name === "close")!;
  expect(number(difference!)).toBeCloseTo(number(b!) - number(a!), 4);
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(page).not.toHaveURL(/versions=/);
});

test("the dashboards that come along draw all their tiles", async ({ page, request }) => {
  // Upkeep and refusals come when they come.
  const perhapsEmpty = ["tile-upkeep", "tile-quarantine", "tile-refused"];
  for (const [name, path] of FURTHER_DASHBOARDS) {
    await open(page, path);
    for (const tile of await page.locator("[data-testid^=tile-]").all()) {
      const id = (await tile.getAttribute("data-testid")) ?? "";
      const state = perhapsEmpty.includes(id) ? /^(ready|empty)$/ : "ready";
      await expect(tile, `${name}, ${id}`).toHaveAttribute("data-state", state);
    }
  }
  await open(page, PAGES["bond-desk"]);
  const { rows } = await table(page.getByTestId("table-restated"));
  const [counted] = await sql(
    request,
    `SELECT count(*) AS n FROM bonds AS n JOIN first_published(bonds) AS f ON f.isin = n.isin AND f.valid_from = n.valid_from
     WHERE n.coupon_rate <> f.coupon_rate AND n.valid_from >= now() - INTERVAL '1 year' AND n.valid_from < now()`,
  );
  // A coupon may be corrected between the two readings, and the year begins at midnight.
  expect(Math.abs(rows.length - Number(counted?.n))).toBeLessThanOrEqual(1);
});

test("what is hard to show is shown, and what cannot be shown says why", async ({ page }) => {
  await open(page, "/dashboards/gallery");
  await expect(page.getByTestId("tile-failing")).toHaveAttribute("data-state", "error");
  await expect(page.getByTestId("tile-failing")).toContainText("there_is_no_such_dataset");
  // Nothing older is shown, and nothing says so.
  await expect(page.getByTestId("tile-failing").locator(".tile-older")).toBeHidden();
  await expect(page.getByTestId("tile-failing").locator(".table-box")).toBeHidden();
  await expect(page.getByTestId("times-failing")).toBeVisible();
  await expect(page.getByTestId("tile-empty")).toHaveAttribute("data-state", "empty");
  // What the gallery shows without trouble is looked at type by type (tile-types.spec.ts).
  for (const id of ["names", "odd"]) {
    const { coloured } = await pixels(page.getByTestId(`chart-${id}`).locator("canvas").first(), "--series-1");
    expect(coloured, id).toBeGreaterThan(3);
  }
});

test("two rectangles of a plane that are chosen on a tile are compared below it", async ({ page }) => {
  await open(page, "/dashboards/gallery");
  const chart = page.getByTestId("chart-plane");
  await chart.focus();
  for (const key of ["Home", "Enter", "ArrowRight", "Enter"]) await page.keyboard.press(key);
  const compared = page.getByTestId("compared-plane");
  await expect(compared).toBeVisible();
  await expect(page.getByTestId("tile-plane").getByText("A and B are compared below")).toBeVisible();
  expect(await table(compared)).toEqual({
    header: ["Column", "A", "B", "B − A"],
    rows: [
      ["Effective from", "1 Mar 2026", "1 Mar 2026", ""],
      ["until", "15 Mar 2026", "15 Mar 2026", ""],
      ["Known from", "2 Mar 2026", "3 Apr 2026", ""],
      ["until", "3 Apr 2026", "–", ""],
      ["Coupon", "4.125\u00a0%", "4.250\u00a0%", "+0.125 points"],
    ],
  });
  // By the pointer: one in the lower left, known no longer, and one in the upper right, which is.
  const box = (await chart.boundingBox())!;
  await chart.click({ position: { x: box.width * 0.93, y: box.height * 0.15 } });
  await expect(page.getByTestId("tile-plane").getByText("A is chosen")).toBeVisible();
  await expect(compared).toBeHidden();
  await chart.click({ position: { x: box.width * 0.25, y: box.height * 0.6 } });
  const coupons = async () => (await table(compared)).rows.at(-1);
  await expect.poll(coupons).toEqual(["Coupon", "4.310\u00a0%", "4.125\u00a0%", "−0.185 points"]);
});
