import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { DENSITIES, expect, expectNoSidewaysScroll, keep, open, PAGES, test, THEMES, VIEWPORTS } from "./support";

// axe sets style attributes while it measures, which our policy rightly forbids to pages; all other tests run under it.
test.use({ bypassCSP: true });

/** What axe finds wrong with the page as it is. */
async function findings(page: Page): Promise<string> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((n) => n.html).join("\n  ")}`).join("\n");
}

for (const theme of THEMES) {
  for (const [size, viewport] of Object.entries(VIEWPORTS)) {
    test.describe(`${theme}, ${size}`, () => {
      test.use({ colorScheme: theme, viewport });

      for (const [name, path] of Object.entries(PAGES)) {
        test(`${name} has no finding`, async ({ page }) => {
          await open(page, path);
          expect(await findings(page)).toBe("");
          await expectNoSidewaysScroll(page);
        });
      }
    });
  }
}

test("the table twins have no finding", async ({ page }) => {
  await open(page, PAGES["benchmark-index"]);
  for (const toggle of await page.getByRole("button", { name: "Table" }).all()) await toggle.click();
  await expect(page.getByTestId("table-level")).toBeVisible();
  expect(await findings(page)).toBe("");
});

test("a compared dashboard, drilled down, with the times of a tile, has no finding", async ({ page }) => {
  await open(page, `${PAGES.market}?vs=1y&own=traded(last:1y)&only=volume:1000~900000000`);
  await page.getByTestId("chart-traded-by").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("way-traded-by")).toBeVisible();
  expect(await findings(page), "the page").toBe("");
  await page.getByTestId("times-traded").click();
  await expect(page.getByTestId("own-effective-field")).toBeVisible();
  expect(await findings(page), "the times of a tile").toBe("");
  await expectNoSidewaysScroll(page);
});

for (const theme of THEMES) {
  for (const density of DENSITIES) {
    test(`the design page, what opens over a page, and a dashboard have no finding: ${theme}, ${density}`, async ({ page }) => {
      await page.emulateMedia({ colorScheme: theme });
      await keep(page, { "tidemark-density": density });
      for (const path of [PAGES.design, PAGES["benchmark-index"]]) {
        await open(page, path);
        expect(await findings(page), path).toBe("");
      }
      await page.getByTestId("display-open").click();
      expect(await findings(page), "the display menu").toBe("");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Control+k");
      await expect(page.getByRole("option").first()).toBeVisible();
      expect(await findings(page), "the palette").toBe("");
      await page.keyboard.press("Escape");
      await page.keyboard.press("?");
      await expect(page.getByTestId("keys")).toBeVisible();
      expect(await findings(page), "the keys").toBe("");
    });
  }
}
