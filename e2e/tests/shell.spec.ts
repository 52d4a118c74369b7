import { DASHBOARDS, FURTHER_DASHBOARDS, expect, expectNoSidewaysScroll, open, PAGES, settled, test } from "./support";

test("the navigation reaches every page without loading anew", async ({ page }) => {
  await open(page, PAGES.home);
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  const navigation = page.getByRole("navigation", { name: "Pages" });
  for (const path of [PAGES.dashboards, "/explore", PAGES.diff, PAGES.pipeline, PAGES.scaling, PAGES.docs, PAGES.home]) {
    await navigation.locator(`a[href="${path}"]`).click();
    await expect(page).toHaveURL(new RegExp(`${path}(\\?|$)`));
    await settled(page);
    await expect(page.locator("h1")).toHaveCount(1);
    await expect(navigation.locator('[aria-current="page"]')).toHaveAttribute("href", path);
  }
  for (const [name, path] of [...DASHBOARDS, ...FURTHER_DASHBOARDS].filter(([, path]) => path.startsWith("/dashboards/"))) {
    await navigation.getByRole("link", { name: "Dashboards" }).click();
    await page.getByRole("main").locator(`a[href="${path.split("?")[0]}"]`).first().click();
    await expect(page, name).toHaveURL(new RegExp(`${path.split("?")[0]}(\\?|$)`));
    await settled(page);
    // It is a page of that section, not the section itself.
    await expect(navigation.locator("[aria-current]")).toHaveText("Dashboards");
    await expect(navigation.locator("[aria-current]")).toHaveAttribute("aria-current", "true");
  }
  expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
});

test("back and forward return to pages and to coordinates", async ({ page }) => {
  await open(page, PAGES["benchmark-index"]);
  const present = page.url();
  const field = page.getByTestId("known-field");
  const day = await page.evaluate(() => new Date(Date.now() - 30 * 86_400_000).toISOString().slice(0, 10));
  await field.fill(day);
  await field.press("Enter");
  await expect(page.getByTestId("known-banner")).toBeVisible();
  expect(new URL(page.url()).searchParams.get("known")).toContain(day);
  await page.getByRole("navigation").first().locator(`a[href^="${PAGES.pipeline}"]`).first().click();
  await expect(page).toHaveURL(new RegExp(PAGES.pipeline));

  await page.goBack();
  await expect(page.getByTestId("known-banner")).toBeVisible();
  await page.goBack();
  await expect(page).toHaveURL(present);
  await expect(page.getByTestId("known-banner")).toBeHidden();
  await page.goForward();
  await expect(page.getByTestId("known-banner")).toBeVisible();
});

test("a link carries the coordinates", async ({ page }) => {
  const day = await page.evaluate(() => new Date(Date.now() - 20 * 86_400_000).toISOString().slice(0, 10));
  await open(page, `${PAGES["benchmark-index"]}?known=${day}T18:00:00Z`);
  await expect(page.getByTestId("known-banner")).toBeVisible();
  await expect(page.getByTestId("known-field")).toHaveValue(new RegExp(`${day}.*18:00`));
});

test("the first Tab offers to skip to the content", async ({ page }) => {
  await open(page, PAGES["benchmark-index"]);
  await page.keyboard.press("Tab");
  const skip = page.locator(":focus");
  await expect(skip).toHaveAttribute("href", /^#./);
  await expect(skip).toBeVisible();
  await page.keyboard.press("Enter");
  const reached = await page.evaluate(() => {
    const main = document.querySelector("main");
    return document.activeElement === main || main?.contains(document.activeElement) || location.hash === `#${main?.id}`;
  });
  expect(reached).toBe(true);
});

test("the theme follows the system until one is chosen, and the choice is kept", async ({ page }) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: "light" });
  await open(page, PAGES.home);
  const light = await ground();
  await page.emulateMedia({ colorScheme: "dark" });
  await expect.poll(ground).not.toBe(light);
  await page.getByTestId("display-open").click();
  await page.getByTestId("theme-switch").selectOption("light");
  await expect.poll(ground).toBe(light);
  await page.reload();
  await settled(page);
  expect(await ground()).toBe(light);
});

test("an address that is no page says so", async ({ page }) => {
  const answer = await page.goto("/dashboards/no-such-dashboard");
  expect(answer?.status()).toBe(404);
  await expect(page.locator("h1")).toHaveCount(1);
  await expect(page.locator('a[href="/"]').first()).toBeVisible();
});

test("no page scrolls sideways at 320 px", async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  for (const path of Object.values(PAGES)) {
    await open(page, path);
    await expectNoSidewaysScroll(page);
  }
});
