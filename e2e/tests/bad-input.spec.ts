import { expect, expectNoSidewaysScroll, open, pixels, test, VIEWPORTS } from "./support";
import type { Page } from "@playwright/test";

const address = "/dashboards/bad-input?from=2026-01-01&to=2026-01-31";
const tile = (page: Page, id: string) => page.getByTestId(`tile-${id}`);
const canvas = (page: Page, id: string) => page.getByTestId(`chart-${id}`).locator("canvas").first();

test("what cannot be drawn says why and what to do, and its neighbours are drawn", async ({ page }) => {
  await open(page, address);
  await expect(page.locator("h1")).toHaveText("What people will put in");
  const says = async (id: string, state: string, words: RegExp): Promise<void> => {
    await expect(tile(page, id), id).toHaveAttribute("data-state", state);
    await expect(tile(page, id), id).toContainText(words);
  };
  await says("categories", "error", /'name' has more than [\d,]+ values; show the top ones, or choose another column/);
  await says("empty", "empty", /There is nothing to show yet/);
  await says("nulls", "empty", /none of them has a value/);
  await says("failing", "error", /nowhere/);
  await says("text", "error", /'v' .*has to be a time, a date or a number/);
  await says("missing", "error", /the answer has no column 'v'/);
  for (const id of ["failing", "categories"]) await expect(tile(page, id).getByRole("button", { name: "Retry" })).toBeVisible();
  for (const id of ["equal", "single", "infinite", "long", "rtl"]) {
    await expect(tile(page, id), id).toHaveAttribute("data-state", "ready");
    const { coloured } = await pixels(canvas(page, id), "--series-1");
    expect(coloured, id).toBeGreaterThan(3);
  }
});

test("ten thousand series are drawn, and their legend stays short", async ({ page }) => {
  await open(page, address);
  await expect(tile(page, "series")).toHaveAttribute("data-state", "ready");
  await expect(tile(page, "series").locator(".legend")).toContainText("9,992 others");
  expect(await tile(page, "series").locator(".legend li").count()).toBeLessThan(20);
  expect((await pixels(canvas(page, "series"), "--series-others")).coloured).toBeGreaterThan(50);
});

test("infinite values and NaN are gaps, and the table names them", async ({ page }) => {
  await open(page, address);
  await page.getByTestId("chart-infinite-toggle").click();
  const cells = page.getByTestId("table-infinite").locator("tbody tr:not(.spacer) td");
  await expect(cells).toHaveText(["4", "−∞", "∞", "not a number", "1"]);
});

test("long names and names from right to left break no page", async ({ page }) => {
  for (const viewport of Object.values(VIEWPORTS)) {
    await page.setViewportSize(viewport);
    await open(page, address);
    await expectNoSidewaysScroll(page);
    const box = (await tile(page, "long").boundingBox())!;
    expect(box.width).toBeLessThanOrEqual(viewport.width);
    await expect(tile(page, "rtl").locator("h2")).toHaveText("سعر الإغلاق اليومي للسهم");
  }
});
