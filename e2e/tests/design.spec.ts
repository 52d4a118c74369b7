import { expect, expectNoSidewaysScroll, number, open, PAGES, table, test, textOf, THEMES } from "./support";

test("the page is reached from the documentation and the palette, and stands in no navigation", async ({ page }) => {
  await open(page, PAGES.docs);
  await page.locator('.docs-text a[href="/design"]').click();
  await expect(page.locator("h1")).toHaveText("Design");
  await expect(page.getByRole("navigation", { name: "Pages" }).locator('a[href="/design"]')).toHaveCount(0);
  await open(page, PAGES.home);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("design");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/design$/);
});

test("every state of a tile is there", async ({ page }) => {
  await open(page, PAGES.design);
  for (const state of ["ready", "loading", "empty", "error"]) {
    await expect(page.getByTestId(`design-${state}`), state).toHaveAttribute("data-state", state);
  }
  await expect(page.getByTestId("design-stale")).toHaveAttribute("data-stale", "true");
  await expect(page.getByTestId("design-stale")).toContainText("not live");
});

test("every part that its contents name is there, and none is empty", async ({ page }) => {
  await open(page, PAGES.design);
  const links = await page.locator(".design-contents a").evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  expect(links.length).toBeGreaterThan(10);
  for (const link of links) {
    const part = page.locator(`section${link}`);
    await expect(part.getByRole("heading").first()).toBeVisible();
    expect(await part.locator("> :not(h2)").count(), `what ${link} shows`).toBeGreaterThan(0);
  }
  // The control of both times and the legend are those of pages.
  await expect(page.locator("#times .strip-svg")).toBeVisible();
  await expect(page.locator("#times .strip-known").first()).toBeAttached();
  await expect(page.locator('#charts .legend-item[aria-pressed="false"]')).toHaveText("Switched off");
  await expect(page.locator("#places .filter-chip")).toHaveCount(3);
});

/** WCAG 2.2, relative luminance and contrast ratio, of colours of 0 to 255. */
function contrast(a: number[], b: number[]): number {
  const linear = (c: number) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]: number[]) => 0.2126 * linear(red!) + 0.7152 * linear(green!) + 0.0722 * linear(blue!);
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

for (const theme of THEMES) {
  test(`each pair of colours has the contrast it needs in the ${theme} theme`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme });
    await open(page, PAGES.design);
    const { rows } = await table(page.getByTestId("design-colours"));
    expect(rows.length).toBeGreaterThan(40);
    const names = [...new Set(rows.flatMap(([front, back]) => [front!, back!]))];
    const colours = await page.evaluate((names) => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
      const style = getComputedStyle(document.documentElement);
      const colour = (name: string) => {
        canvas.fillStyle = style.getPropertyValue(name).trim();
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
      };
      return Object.fromEntries(names.map((name) => [name, colour(name)]));
    }, names);
    for (const [front, back, , least] of rows as [string, string, string, string][]) {
      const found = contrast(colours[front]!, colours[back]!);
      expect(found, `${front} on ${back}`).toBeGreaterThanOrEqual(number(least));
    }
  });
}

test("a name of 400 letters and one from right to left break no layout", async ({ page }) => {
  for (const width of [320, 390, 768, 1440]) {
    await page.setViewportSize({ width, height: 800 });
    await open(page, PAGES.design);
    await expectNoSidewaysScroll(page);
  }
  // In its own cell the text runs from right to left, and the cell keeps its place.
  const rows = page.getByTestId("design-names").locator("tbody tr:not(.spacer)");
  await expect(rows.nth(1).locator("td").last()).toContainText("35");
  expect(await textOf(rows.nth(1).locator("th"))).toBe("31 Mar 2026");
});

test("all formats keep their digits in all locales", async ({ page }) => {
  await open(page, PAGES.design);
  const { rows } = await table(page.getByTestId("design-formats"));
  const row = rows.find(([name]) => name === "Every digit")!;
  for (const text of row.slice(1)) expect(text.replace(/\D/g, "")).toBe("1234567890123456789012345678901");
  const euros = rows.find(([name]) => name === "Money, EUR")!.slice(1);
  expect(new Set(euros).size).toBeGreaterThan(3);
});

test("a wide table scrolls inside its box by keys", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page, PAGES.design);
  const box = page.getByRole("region", { name: "Table, Wide" });
  await box.focus();
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => box.evaluate((element) => element.scrollLeft)).toBeGreaterThan(0);
});

test("a dialog gives the focus back", async ({ page }) => {
  await open(page, PAGES.design);
  const button = page.getByTestId("design-dialog-open");
  await button.click();
  await expect(page.getByTestId("design-dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("design-dialog")).toBeHidden();
  await expect(button).toBeFocused();
});
