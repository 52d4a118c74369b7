// From a sum to the rows behind it: drilling down through levels, marking a stretch, and what is noted on charts.
import type { Page } from "@playwright/test";
import { chooseFirst, commit, daysAgo, define, expect, number, open, PAGES, settled, sql, table, test, textOf, VIEWPORTS } from "./support";

const past = { from: daysAgo(100), to: daysAgo(40), known: `${daysAgo(39)}T12:00:00Z` };
const address = `${PAGES.market}?from=${past.from}&to=${past.to}&known=${past.known}`;
const range = `p.valid_from >= TIMESTAMP '${past.from}' AND p.valid_from < TIMESTAMP '${daysAgo(39)}'`;
const then = { system_time: past.known };

async function shown(page: Page): Promise<string[][]> {
  await page.getByTestId("chart-traded-by-toggle").click();
  const { rows } = await table(page.getByTestId("table-traded-by"));
  await page.getByTestId("chart-traded-by-toggle").click();
  return rows;
}

test("a sector opens its shares, a share its days, a day its versions, and the way leads back", async ({ page, request }) => {
  await open(page, address);
  const sectors = await shown(page);
  await chooseFirst(page, "chart-traded-by");
  await expect(page).toHaveURL(/drill=traded-by/);
  const way = page.getByTestId("way-traded-by");
  await expect(way).toBeVisible();
  await settled(page);
  const sector = await textOf(way.locator("[aria-current]"));
  expect(sector).toBe(sectors[0]![0]);
  const shares = await shown(page);
  const [expected] = await sql(
    request,
    `SELECT sum(p.volume) AS traded FROM prices AS p JOIN instruments AS i ON i.instrument_id = p.instrument_id
       AND i.valid_from <= p.valid_from AND (i.valid_to IS NULL OR i.valid_to > p.valid_from)
     WHERE i.sector = $sector AND ${range}`,
    { ...then, parameters: { sector } },
  );
  const sum = shares.reduce((sum, row) => sum + number(row[1]!), 0);
  expect(Math.abs(sum - Number(expected!.traded)) / sum).toBeLessThan(1e-6);
  await chooseFirst(page, "chart-traded-by");
  await expect(way).toContainText(shares[0]![0]!);
  await settled(page);
  // The page itself is not narrowed down.
  await expect(page).not.toHaveURL(/only=/);
  await chooseFirst(page, "chart-traded-by");
  await expect(page).toHaveURL(new RegExp(`versions=prices:${shares[0]![0]}`));
  await page.keyboard.press("Escape");
  await way.getByRole("button", { name: sector }).click();
  await settled(page);
  expect(await shown(page)).toEqual(shares);
  await way.getByRole("button", { name: "All" }).click();
  await expect(way).toBeHidden();
  await settled(page);
  expect(await shown(page)).toEqual(sectors);
  await page.goBack();
  await expect(way).toBeVisible();
});

test("a stretch marked on a histogram narrows the page down, by pointer and by keyboard", async ({ page, request }) => {
  await open(page, address);
  const chart = page.getByTestId("chart-volumes");
  await chart.scrollIntoViewIfNeeded();
  const box = (await chart.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height / 2, { steps: 4 });
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  await expect(page).toHaveURL(/only=volume:[\d.]+~[\d.]+/);
  await settled(page);
  const [from, to] = (await textOf(page.getByTestId("filters").locator("strong"))).split(" – ").map(Number);
  const [count] = await sql(request, `SELECT count(*) AS n FROM prices AS p WHERE ${range} AND p.volume >= ${from} AND p.volume < ${to}`, then);
  await page.getByTestId("chart-volumes-toggle").click();
  const { rows } = await table(page.getByTestId("table-volumes"));
  expect(rows.reduce((sum, row) => sum + number(row.at(-1)!), 0)).toBe(Number(count!.n));
  await page.getByTestId("chart-volumes-toggle").click();
  await page.getByRole("button", { name: "Show all", exact: true }).first().click();
  await expect(page).not.toHaveURL(/only=/);

  await page.getByTestId("chart-sectors").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("m");
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("m");
  await expect.poll(() => new URL(page.url()).searchParams.get("to")).not.toBe(past.to);
  const marked = new URL(page.url()).searchParams;
  expect(marked.get("from")! >= past.from && marked.get("to")! < past.to).toBe(true);
  await page.goBack();
  await expect.poll(() => new URL(page.url()).searchParams.get("to")).toBe(past.to);
});

test("what happened is noted on charts over time, and read out", async ({ page, request }) => {
  await open(page, `${PAGES.market}?from=${daysAgo(400)}&to=${daysAgo(40)}`);
  const [first] = await sql(
    request,
    `SELECT valid_from AS at FROM constituents WHERE index_id = 'TMK30' AND valid_from >= TIMESTAMP '${daysAgo(400)}'
       AND valid_from < TIMESTAMP '${daysAgo(39)}' GROUP BY valid_from ORDER BY valid_from LIMIT 1`,
  );
  expect(first, "the index was rebalanced").toBeTruthy();
  const chart = page.getByTestId("chart-prices");
  await expect(chart).toHaveAttribute("aria-label", /Noted on .*: Index rebalanced\./);
  await chart.focus();
  await page.keyboard.press("Home");
  const readout = page.getByTestId("tile-prices").locator(".chart-readout");
  await expect(async () => {
    await page.keyboard.press("ArrowRight");
    await expect(readout).toContainText("● Index rebalanced", { timeout: 50 });
  }).toPass({ timeout: 20_000, intervals: [10] });
});

test("notes without room for their words are numbered, and listed where that is asked for", async ({ page }) => {
  await open(page, PAGES["bond-desk"]);
  const tile = page.getByTestId("tile-rates");
  const [list, text] = [tile.locator(".chart-notes"), tile.locator(".chart-notes p")];
  await expect(text).toBeHidden();
  await list.locator("summary").press("Enter");
  await expect(text).toBeVisible();
  const lines = (await text.textContent())!.trim().split("\n");
  for (const [index, line] of lines.entries()) {
    expect(line).toMatch(new RegExp(`^${index + 1} · \\d{1,2} \\w{3} 20\\d\\d · \\w+ put right$`));
  }
  const many = lines.length;
  expect(many).toBeGreaterThan(1);
  await expect(list.locator("summary")).toHaveText(`Notes 1–${many}`);
  // What the chart says to those who do not see it are the same notes.
  const said = (await tile.getByRole("img").getAttribute("aria-label"))!;
  expect([...said.matchAll(/Noted on/g)]).toHaveLength(Math.min(many, 12));
  await tile.getByRole("button", { name: "Table" }).click();
  await expect(list).toBeHidden();
});

test("a click on a bar chooses it, and on a line what is nearest", async ({ page }) => {
  await open(page, address);
  const sectors = page.getByTestId("chart-weights");
  await sectors.scrollIntoViewIfNeeded();
  const box = (await sectors.boundingBox())!;
  await page.mouse.click(box.x + 60, box.y + box.height * 0.6);
  await expect(page).toHaveURL(/only=sector/);
  await page.goBack();
  await expect(page).not.toHaveURL(/only=/);
  await settled(page);
  const prices = page.getByTestId("chart-prices");
  const line = (await prices.boundingBox())!;
  await page.mouse.click(line.x + line.width / 2, line.y + line.height / 2);
  await expect(page).toHaveURL(/only=instrument_id/);
});

test("a version tells the event it came from", async ({ page, request }) => {
  await define(request, "sourced", { n: "int64" });
  await commit(request, "sourced", [{ id: "b", n: 5, from: "2026-01-01" }, { id: "a", n: 1, from: "2026-01-01", noted: "by hand" }]);
  await commit(request, "sourced", [{ id: "a", n: 2, from: "2026-02-01" }]);
  await open(page, `${PAGES.market}?versions=sourced:a`);
  await expect(page.getByTestId("chart-versions")).toBeVisible();
  await settled(page);
  await chooseFirst(page, "chart-versions");
  const source = page.getByTestId("source");
  await expect(source).toContainText(/Became known with epoch [\d,]+: request/);
  // As it came, with what the dataset has no column for; and nothing of the other key.
  await expect(source.locator("pre")).toHaveText(['{"id":"a","n":1,"from":"2026-01-01","noted":"by hand"}']);
});

test.describe("by touch, on a phone", () => {
  test.use({ hasTouch: true, viewport: VIEWPORTS.narrow });

  test("a tap on a bar chooses it", async ({ page }) => {
    await open(page, address);
    const chart = page.getByTestId("chart-weights");
    // Away from the navigation, which stands over the lower edge.
    await chart.evaluate((element) => element.scrollIntoView({ block: "center" }));
    const box = (await chart.boundingBox())!;
    // The highest bar is the first, at the left; names that stand upright take the lower part.
    await page.touchscreen.tap(box.x + 58, box.y + box.height * 0.5);
    await expect(page).toHaveURL(/only=sector/);
  });
});
