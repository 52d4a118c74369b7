import type { Page } from "@playwright/test";
import { expect, expectNoSidewaysScroll, open, PAGES, settled, test, VIEWPORTS } from "./support";

const field = (page: Page) => page.getByRole("combobox", { name: /^Search pages/ });
const options = (page: Page) => page.getByRole("option");
/** What Enter would choose. */
const chosen = (page: Page) => page.locator('[role="option"][aria-selected="true"] .palette-name');

async function openPalette(page: Page): Promise<void> {
  await page.keyboard.press("Control+k");
  await expect(field(page)).toBeFocused();
}

/** Types, and waits until the first found is as expected. */
async function find(page: Page, typed: string, first: string | RegExp): Promise<void> {
  await openPalette(page);
  await page.keyboard.type(typed);
  await expect(chosen(page)).toHaveText(first);
}

test("by keys alone: open, find a page, go there, and back", async ({ page }) => {
  await open(page, PAGES.home);
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  await find(page, "pipe", "Pipeline");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`${PAGES.pipeline}$`));
  await expect(page.locator("h1")).toHaveText("Pipeline");
  await expect(page.getByTestId("palette")).toBeHidden();
  await settled(page);
  await page.goBack();
  await expect(page.getByTestId("table-datasets")).toBeVisible();
  expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
});

test("every dashboard is found by its title", async ({ page }) => {
  await open(page, PAGES.docs);
  await find(page, "bond d", "Bond desk");
  await expect(options(page).first()).toContainText("Dashboard");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/dashboards\/bond-desk$/);
});

test("a section of the documentation is found by the start of a word and brought into sight", async ({ page }) => {
  await open(page, PAGES["benchmark-index"]);
  await find(page, "hist import", "History import");
  await expect(options(page).first()).toContainText("Semantics");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/docs\/semantics#history-import$/);
  await expect(page.locator("#history-import")).toBeInViewport();
});

test("every heading of the documentation can be found", async ({ page }) => {
  await open(page, PAGES["docs-periods"]);
  const headings = await page.locator(".docs-heading h3").allInnerTexts();
  expect(headings.length).toBeGreaterThan(10);
  for (const heading of [headings[0]!, headings.at(-1)!]) {
    await openPalette(page);
    await page.keyboard.insertText(heading);
    await expect(options(page).filter({ hasText: heading }).first()).toBeVisible();
    await page.keyboard.press("Escape");
  }
});

test("a dataset leads to what there is to see of it", async ({ page }) => {
  await open(page, PAGES.home);
  await find(page, "rep", "reports");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/diff\?dataset=reports$/);
  await expect(page.getByTestId("dataset-select")).toHaveValue("reports");
});

test("arrows move the choice around the ends, and what is chosen is announced and in sight", async ({ page }) => {
  await open(page, PAGES.home);
  await openPalette(page);
  await expect(options(page).nth(20)).toBeAttached();
  const count = await options(page).count();
  await page.keyboard.press("ArrowUp");
  await expect(field(page)).toHaveAttribute("aria-activedescendant", `palette-option-${count - 1}`);
  await expect(options(page).last()).toBeInViewport();
  await page.keyboard.press("ArrowDown");
  await expect(field(page)).toHaveAttribute("aria-activedescendant", "palette-option-0");
  await expect(options(page).first()).toHaveAttribute("aria-selected", "true");
  await expect(page.locator('[role="option"][aria-selected="true"]')).toHaveCount(1);
});

test("focus stays inside while it is open and returns to where it was", async ({ page }) => {
  await open(page, PAGES["benchmark-index"]);
  const from = page.getByTestId("effective-field");
  await from.focus();
  await openPalette(page);
  for (const press of ["Tab", "Tab", "Tab", "Shift+Tab"]) {
    await page.keyboard.press(press);
    expect(await page.evaluate(() => document.activeElement?.closest("dialog") !== null), press).toBe(true);
  }
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("palette")).toBeHidden();
  await expect(from).toBeFocused();
});

test("Escape closes the palette and leaves the known time where it is", async ({ page }) => {
  const day = new Date(Date.now() - 30 * 86_400_000).toISOString().slice(0, 10);
  await open(page, `${PAGES["benchmark-index"]}?known=${day}T12:00:00Z`);
  await openPalette(page);
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("palette")).toBeHidden();
  await expect(page.getByTestId("known-banner")).toBeVisible();
  // The action does what Escape then does.
  await find(page, "return", "Return known to now");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("known-banner")).toBeHidden();
  await openPalette(page);
  await page.keyboard.type("return");
  await expect(options(page).filter({ hasText: "Return known to now" })).toHaveCount(0);
});

test("what was chosen last comes first, also after a reload", async ({ page }) => {
  await open(page, PAGES.home);
  await find(page, "diff", "Diff");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(PAGES.diff));
  await page.reload();
  await settled(page);
  await openPalette(page);
  await expect(options(page).first()).toContainText("Diff");
  await expect(options(page).filter({ hasText: /^Diff/ })).toHaveCount(1);
});

test("nothing of that name says so", async ({ page }) => {
  await open(page, PAGES.home);
  await openPalette(page);
  await page.keyboard.type("qqqq");
  await expect(page.getByTestId("palette")).toContainText("Nothing has that name");
  await expect(options(page)).toHaveCount(0);
  await expect(field(page)).toHaveAttribute("aria-expanded", "false");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("palette")).toBeVisible();
});

test("actions act: the theme, and the link to this page", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.emulateMedia({ colorScheme: "light" });
  await open(page, `${PAGES["benchmark-index"]}?from=2026-01-01`);
  await find(page, "dark", "Theme: dark");
  await page.keyboard.press("Enter");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await find(page, "copy", "Copy link to this page");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("said")).toHaveText("Link copied");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(page.url());
});

test("a question mark lists the page's keys, unless it is typed", async ({ page }) => {
  await open(page, PAGES["docs-grammar"]);
  await page.keyboard.press("?");
  const keys = page.getByTestId("keys");
  await expect(keys).toBeVisible();
  await expect(keys).toContainText("search field of the documentation");
  await page.keyboard.press("Escape");
  await expect(keys).toBeHidden();
  await page.keyboard.press("/");
  await page.keyboard.type("?");
  await expect(page.getByTestId("docs-search")).toHaveValue("?");
  await expect(keys).toBeHidden();
});

test.describe("by touch, on a phone", () => {
  test.use({ viewport: VIEWPORTS.narrow, hasTouch: true });

  test("a button opens it, a tap chooses, a tap beside it closes it", async ({ page }) => {
    await open(page, PAGES.home);
    await page.getByTestId("palette-open").tap();
    await expect(field(page)).toBeFocused();
    await expectNoSidewaysScroll(page);
    for (const option of (await options(page).all()).slice(0, 5)) {
      expect((await option.boundingBox())!.height).toBeGreaterThanOrEqual(44);
    }
    await page.touchscreen.tap(195, 840);
    await expect(page.getByTestId("palette")).toBeHidden();
    await page.getByTestId("palette-open").tap();
    await options(page).filter({ hasText: /^Pipeline/ }).tap();
    await expect(page).toHaveURL(new RegExp(PAGES.pipeline));
  });
});
