import AxeBuilder from "@axe-core/playwright";
import { expect, expectNoSidewaysScroll, open, PAGES, test, THEMES, VIEWPORTS } from "./support";

// axe sets style attributes while it measures, which our policy rightly forbids to pages; all other tests run under it.
test.use({ bypassCSP: true });

for (const theme of THEMES) {
  for (const [size, viewport] of Object.entries(VIEWPORTS)) {
    test.describe(`${theme}, ${size}`, () => {
      test.use({ colorScheme: theme, viewport });

      for (const [name, path] of Object.entries(PAGES)) {
        test(`${name} has no finding`, async ({ page }) => {
          await open(page, path);
          const { violations } = await new AxeBuilder({ page }).analyze();
          const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((n) => n.html).join("\n  ")}`);
          expect(found.join("\n")).toBe("");
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
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, help }) => `${id}: ${help}`)).toEqual([]);
});
