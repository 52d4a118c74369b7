// Two times for a page and for each tile of it: an earlier period beside a range, and coordinates of a tile's own.
import { daysAgo, expect, number, open, PAGES, pixels, settled, shows, sql, table, test, textOf } from "./support";

const past = { from: daysAgo(100), to: daysAgo(40), known: `${daysAgo(39)}T12:00:00Z` };
const address = `${PAGES.market}?from=${past.from}&to=${past.to}&known=${past.known}`;
const then = { system_time: past.known };
const traded = (from: string, before: string): string =>
  `SELECT sum(volume) AS traded FROM prices WHERE valid_from >= TIMESTAMP '${from}' AND valid_from < TIMESTAMP '${before}'
   GROUP BY valid_from ORDER BY valid_from DESC LIMIT 1`;

test("a page compares every chart and figure with the period before", async ({ page, request }) => {
  await open(page, address);
  await page.getByTestId("compare-select").selectOption("prev");
  await expect(page).toHaveURL(/vs=prev/);
  await expect(page.getByTestId("tile-weights")).toContainText("compared with");
  await settled(page);
  const [now] = await sql(request, traded(past.from, daysAgo(39)), then);
  const [before] = await sql(request, traded(daysAgo(161), past.from), then);
  expect(shows(await textOf(page.getByTestId("kpi-traded")), Number(now!.traded))).toBe(true);
  const note = await textOf(page.getByTestId("tile-traded").locator(".kpi-note"));
  const change = (Number(now!.traded) / Number(before!.traded) - 1) * 100;
  expect(Math.abs(number(note) - change), note).toBeLessThan(0.006);

  // Bars are outlined where they were, and their table has the values of both.
  const weights = await sql(
    request,
    `SELECT i.sector, sum(c.weight) AS weight FROM constituents AS c JOIN instruments AS i ON i.instrument_id = c.instrument_id
       AND i.valid_from < TIMESTAMP '${past.from}' AND (i.valid_to IS NULL OR i.valid_to >= TIMESTAMP '${past.from}')
     WHERE c.index_id = 'TMK30' AND c.valid_from < TIMESTAMP '${past.from}' AND (c.valid_to IS NULL OR c.valid_to >= TIMESTAMP '${past.from}')
     GROUP BY i.sector`,
    then,
  );
  await page.getByTestId("chart-weights-toggle").click();
  const { header, rows } = await table(page.getByTestId("table-weights"));
  expect(header[2]).toContain("before");
  const shown = new Map(rows.map((row) => [row[0], row[2]!]));
  for (const { sector, weight } of weights) {
    expect(Math.abs(number(shown.get(String(sector))!) - Number(weight) * 100), String(sector)).toBeLessThan(0.006);
  }
  // The cursor reads out both.
  await page.getByTestId("chart-prices").focus();
  await expect(page.getByTestId("tile-prices").locator(".chart-readout")).toContainText("before");
  await page.getByTestId("compare-select").selectOption("none");
  await expect(page.getByTestId("tile-weights")).not.toContainText("compared with");
});

test("a tile has times of its own, which its link keeps, and returns to those of the page", async ({ page, request }) => {
  await open(page, address);
  const others = await textOf(page.getByTestId("kpi-members"));
  await page.getByTestId("times-traded").focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByTestId("own-times");
  await expect(dialog).toBeVisible();
  const [from, to] = [daysAgo(300), daysAgo(200)];
  await page.getByTestId("own-effective-field").fill(`${from} – ${to}`);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/own=traded/);
  await page.getByTestId("own-known-preset").selectOption({ label: "Now" });
  await expect(page).toHaveURL(/own=traded\(.*known:now\)/);
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await settled(page);
  const [now] = await sql(request, traded(from, daysAgo(199)));
  const check = async (): Promise<void> => {
    await expect.poll(async () => shows(await textOf(page.getByTestId("kpi-traded")), Number(now!.traded))).toBe(true);
    await expect(page.getByTestId("tile-traded").locator(".tile-note")).toContainText("↕ now");
    await expect(page.getByTestId("kpi-members")).toHaveText(others);
  };
  await check();
  await page.reload();
  await settled(page);
  await check();
  await page.getByTestId("times-traded").click();
  await page.getByRole("button", { name: "Same as the page" }).click();
  await expect(page).not.toHaveURL(/[?&]own=/);
  await page.getByRole("button", { name: "Close" }).last().click();
  await settled(page);
  const [page_now] = await sql(request, traded(past.from, daysAgo(39)), then);
  await expect.poll(async () => shows(await textOf(page.getByTestId("kpi-traded")), Number(page_now!.traded))).toBe(true);
});

test("a tile of old knowledge on a page of today's is marked as such", async ({ page }) => {
  await open(page, `${PAGES.market}?own=traded(known:-30d)`);
  const tile = page.locator(".dashboard-tile", { has: page.getByTestId("tile-traded") });
  await expect(tile).toHaveAttribute("data-past", "true");
  await expect(tile.locator(".tile-note")).toContainText("↕ ");
  await expect(page.locator(".dashboard-tile[data-past]")).toHaveCount(1);
});

test("an earlier period is drawn where the later one is, dashed", async ({ page }) => {
  await open(page, `/dashboards/gallery?from=${past.from}&to=${past.to}`);
  const canvas = page.getByTestId("chart-area").locator("canvas").first();
  const alone = await pixels(canvas, "--series-1");
  await page.getByTestId("compare-select").selectOption("1y");
  await expect(page.getByTestId("tile-area")).toContainText("compared with");
  await expect.poll(async () => (await pixels(canvas, "--series-1")).coloured).not.toBe(alone.coloured);
});
