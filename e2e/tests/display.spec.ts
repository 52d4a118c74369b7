import type { Page } from "@playwright/test";
import { expect, keep, open, PAGES, settled, test, textOf, VIEWPORTS } from "./support";

const menu = (page: Page) => page.getByTestId("display-menu");
const zone = (page: Page) => page.getByTestId("zone");

async function openMenu(page: Page): Promise<void> {
  await page.getByTestId("display-open").click();
  await expect(menu(page)).toBeVisible();
}

/** When the lake last committed, as the top bar says. */
const commit = (page: Page) => page.getByTestId("live-status").locator(".live-time");
/** A dashboard whose known time is the last 15 July, 18:00 UTC, when clocks in the north are ahead. */
const year = new Date().getUTCMonth() > 6 ? new Date().getUTCFullYear() : new Date().getUTCFullYear() - 1;
const summer = `${PAGES["benchmark-index"]}?from=${year}-06-01&to=${year}-07-14&known=${year}-07-15T18:00:00Z`;

test("the zone is in sight, and every moment says its own", async ({ page }) => {
  await open(page, PAGES.home);
  await expect(zone(page)).toHaveText("UTC");
  await expect(commit(page)).toHaveText(/\d\d:\d\d:\d\d UTC$/);
  await openMenu(page);
  await page.getByTestId("zone-switch").selectOption("Asia/Kolkata");
  await expect(zone(page)).toHaveText("Kolkata");
  await expect(commit(page)).toHaveText(/\d\d:\d\d:\d\d UTC\+5:30$/);
  await expect(page.getByTestId("table-datasets")).toContainText("UTC+5:30");
  await expect(page.getByTestId("table-datasets")).not.toContainText(/UTC(?!\+5:30)/);
});

test("moments move with the zone over a change of clocks, and days do not", async ({ page }) => {
  await keep(page, { "tidemark-zone": "Europe/Zurich" });
  await open(page, `${PAGES.diff}?dataset=reports&from=2026-03-29&to=2026-03-31&a=2026-03-29T00:30:00Z&b=2026-03-29T01:30:00Z`);
  await expect(zone(page)).toHaveText("Zurich");
  await expect(page.getByTestId("coordinate-known")).toHaveText("29 Mar 2026, 01:30 UTC+1 → 29 Mar 2026, 03:30 UTC+2");
  await expect(page.getByTestId("coordinate-effective")).toHaveText("29 Mar – 31 Mar 2026");
  // The address says the same to everybody.
  expect(new URL(page.url()).searchParams.get("a")).toBe("2026-03-29T00:30:00Z");
});

test("a field shows the zone's clock and reads it back", async ({ page }) => {
  await keep(page, { "tidemark-zone": "Europe/Zurich" });
  await open(page, summer);
  const field = page.getByTestId("known-field");
  await expect(field).toHaveValue(`${year}-07-15 20:00 UTC+2`);
  await field.fill(`${year}-07-15 21:00 UTC+2`);
  await field.press("Enter");
  await expect.poll(() => new URL(page.url()).searchParams.get("known")).toBe(`${year}-07-15T19:00:00Z`);
});

test("any zone that the browser knows can be typed, and another is refused in words", async ({ page }) => {
  await open(page, PAGES.home);
  await openMenu(page);
  const field = page.getByTestId("zone-field");
  await field.fill("Middle/Earth");
  await field.press("Enter");
  await expect(menu(page)).toContainText("knows no zone 'Middle/Earth'");
  await expect(zone(page)).toHaveText("UTC");
  await field.fill("pacific/chatham");
  await field.press("Enter");
  await expect(zone(page)).toHaveText("Chatham");
  await expect(page.getByTestId("zone-switch")).toHaveValue("Pacific/Chatham");
  await expect(commit(page)).toHaveText(/UTC\+1[23]:45$/);
  await page.reload();
  await settled(page);
  await expect(zone(page)).toHaveText("Chatham");
});

test.describe("in a browser of its own zone", () => {
  test.use({ timezoneId: "America/New_York" });

  test("pages are in UTC until the browser's zone is chosen", async ({ page }) => {
    await open(page, summer);
    await expect(page.getByTestId("coordinate-known")).toHaveText(`15 Jul ${year}, 18:00 UTC`);
    await page.keyboard.press("Control+k");
    await page.keyboard.type("zone browser");
    await page.keyboard.press("Enter");
    await expect(zone(page)).toHaveText("New York");
    await expect(page.getByTestId("coordinate-known")).toHaveText(`15 Jul ${year}, 14:00 UTC−4`);
    await expect(page.getByTestId("known-banner")).toContainText(`15 Jul ${year}, 14:00 UTC−4`);
  });
});

test.describe("in a German browser", () => {
  test.use({ locale: "de-DE" });

  test("numbers and dates are written as there, until something else is chosen", async ({ page }) => {
    await open(page, summer);
    await expect(page.getByTestId("coordinate-known")).toHaveText(`15.07.${year}, 18:00 UTC`);
    await expect(page.getByTestId("kpi-last")).toHaveText(/^[\d.]+,\d\d /);
    await openMenu(page);
    await expect(page.getByTestId("display-sample")).toHaveText("−1.234.567,89, 31.03.2026, 18:00 UTC");
    await page.getByTestId("locale-switch").selectOption("iso");
    await expect(page.getByTestId("coordinate-known")).toHaveText(`${year}-07-15, 18:00 UTC`);
    await expect(page.getByTestId("kpi-last")).toHaveText(/^[\d\u202f]+\.\d\d /);
    await page.reload();
    await settled(page);
    await expect(page.getByTestId("coordinate-known")).toHaveText(`${year}-07-15, 18:00 UTC`);
  });
});

test("tables that were read before are written anew, with the same digits", async ({ page }) => {
  const cell = page.getByTestId("table-constituents").locator("tbody tr:not(.spacer)").first().locator("td").nth(4);
  await open(page, summer);
  const digits = async () => (await textOf(cell)).replace(/\D/g, "");
  const before = await digits();
  await openMenu(page);
  await page.getByTestId("locale-switch").selectOption("de-CH");
  await expect(page.getByTestId("table-constituents").locator("tbody tr:not(.spacer)").first()).toContainText(/\d\d\.\d\d\.20\d\d/);
  expect(await digits()).toBe(before);
});

test("compact rows are lower, before anything runs, and the choice is kept", async ({ page }) => {
  const height = () => page.getByTestId("table-datasets").locator("tbody tr").first().evaluate((row) => row.clientHeight);
  await open(page, PAGES.home);
  const comfortable = await height();
  await openMenu(page);
  await page.getByTestId("density-switch").selectOption("compact");
  await expect.poll(height).toBeLessThan(comfortable - 6);
  const compact = await height();
  // Never answered: the page stays as the server wrote it.
  await page.route("**/*.wasm", () => {});
  await page.goto(PAGES.home, { waitUntil: "domcontentloaded" });
  expect(await height()).toBe(compact);
  await expect(page.locator("html")).toHaveAttribute("data-density", "compact");
});

test("the menu is opened and closed by keys, and the page does not hear of the Escape", async ({ page }) => {
  await open(page, summer);
  await page.getByTestId("display-open").focus();
  await page.keyboard.press("Enter");
  await expect(menu(page)).toBeVisible();
  // What it holds is loaded when it is opened for the first time.
  await expect(page.getByTestId("theme-switch")).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByTestId("theme-switch")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(menu(page)).toBeHidden();
  await expect(page.getByTestId("display-open")).toBeFocused();
  await expect(page.getByTestId("known-banner")).toBeVisible();
});

test("on a phone the menu fits, and the zone stays in sight", async ({ page }) => {
  await page.setViewportSize(VIEWPORTS.narrow);
  await open(page, PAGES.home);
  await expect(zone(page)).toBeInViewport();
  await openMenu(page);
  const box = (await menu(page).boundingBox())!;
  expect(box.x).toBeGreaterThanOrEqual(0);
  expect(box.x + box.width).toBeLessThanOrEqual(VIEWPORTS.narrow.width);
  await expect(page.getByTestId("zone-field")).toBeInViewport();
});
