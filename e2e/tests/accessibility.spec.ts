import type { APIRequestContext, Page } from "@playwright/test";
import {
  chooseFirst, daysAgo, DENSITIES, expect, expectNoSidewaysScroll, findings, keep, open, overWire, PAGES, settled, spoil, sql,
  test, THEMES, VIEWPORTS, whenAsked,
} from "./support";

// axe sets style attributes while it measures, which our policy rightly forbids to pages; all other tests run under it.
test.use({ bypassCSP: true });

/** Beside the pages that everybody uses: every kind of tile, and what people will put in. */
const ALL_PAGES = { ...PAGES, gallery: "/dashboards/gallery", "bad-input": "/dashboards/bad-input?from=2026-01-01&to=2026-01-31" };

for (const [size, viewport] of Object.entries(VIEWPORTS)) {
  test.describe(size, () => {
    test.use({ viewport });

    for (const [name, path] of Object.entries(ALL_PAGES)) {
      test(`${name} has no finding in either theme`, async ({ page }) => {
        test.slow();
        await page.emulateMedia({ colorScheme: THEMES[0] });
        await open(page, path);
        // The theme is changed on the open page, as a system changes it in the evening: loading each page for each takes minutes.
        for (const theme of THEMES) {
          await page.emulateMedia({ colorScheme: theme });
          await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
          expect(await findings(page), theme).toBe("");
        }
        await expectNoSidewaysScroll(page);
      });
    }
  });
}

const shown = (page: Page, id: string) => page.getByTestId(id).locator("tbody tr:not(.spacer)").first();

/** What a page can come to, and how. */
const STATES: Record<string, (page: Page, request: APIRequestContext) => Promise<void>> = {
  "a dashboard of old knowledge": async (page) => {
    await open(page, `${PAGES.market}?known=-30d`);
    await expect(page.getByTestId("known-banner")).toContainText("As known on");
  },
  "a dashboard as first published": async (page) => {
    await open(page, `${PAGES.market}?known=first`);
    await expect(page.getByTestId("known-banner")).toContainText("As first published");
  },
  "the versions of a key": async (page, request) => {
    const [key] = await sql(request, "SELECT min(instrument_id) AS id FROM prices");
    await open(page, `${PAGES.market}?versions=prices:${key!.id}`);
    await expect(shown(page, "table-versions")).toBeVisible();
  },
  "a tile that was drilled down": async (page) => {
    await open(page, PAGES.market);
    await chooseFirst(page, "chart-traded-by");
    await expect(page.getByTestId("way-traded-by")).toBeVisible();
    await settled(page);
  },
  "a table in the place of a chart": async (page) => {
    await open(page, PAGES.market);
    await page.getByTestId("chart-prices-toggle").click();
    await expect(shown(page, "table-prices")).toBeVisible();
  },
  "a page that is paused": async (page) => {
    await open(page, PAGES.market);
    await page.getByTestId("pause").click();
    await expect(page.getByTestId("live-status")).toHaveAttribute("data-paused", "true");
  },
  "a tile that failed over its older picture, among empty ones": async (page) => {
    await open(page, PAGES.market);
    await whenAsked(page, 'SELECT p.valid_from AS "day", p.instrument_id, p.close', spoil);
    const fold = page.getByTestId("time-fold");
    if (await fold.isVisible()) await fold.click();
    await page.getByTestId("effective-field").fill("1999-01-01 – 1999-01-31");
    await page.getByTestId("effective-field").press("Enter");
    await expect(page.getByTestId("tile-prices")).toHaveAttribute("data-state", "error");
    await expect(page.getByTestId("tile-weights")).toHaveAttribute("data-state", "empty");
    await settled(page);
  },
  "the failing and the empty tile of the gallery": async (page) => {
    await open(page, ALL_PAGES.gallery);
    await expect(page.getByTestId("tile-failing")).toHaveAttribute("data-state", "error");
    await expect(page.getByTestId("tile-empty")).toHaveAttribute("data-state", "empty");
  },
  "a chart that is zoomed into": async (page) => {
    await open(page, PAGES.market);
    await page.getByTestId("chart-prices").focus();
    await page.keyboard.press("+");
    await page.keyboard.press("+");
    await expect(page.getByTestId("tile-prices").getByRole("button", { name: "Show all", exact: true })).toBeVisible();
    await settled(page);
  },
  "two rectangles of a plane side by side": async (page) => {
    await open(page, ALL_PAGES.gallery);
    await page.getByTestId("chart-plane").focus();
    for (const key of ["Home", "Enter", "ArrowRight", "Enter"]) await page.keyboard.press(key);
    await expect(page.getByTestId("compared-plane")).toBeVisible();
  },
  "a comparison that is narrowed down": async (page) => {
    await open(page, `${PAGES.diff}?dataset=reports&from=first&a=${daysAgo(100)}T12:00:00Z&b=${daysAgo(5)}T12:00:00Z&kind=changed`);
    await chooseFirst(page, "chart-keys");
    await expect(page.getByTestId("filters")).toBeVisible();
    await settled(page);
    await expect(shown(page, "table-changes")).toBeVisible();
  },
  "the palette over a page": async (page) => {
    await open(page, PAGES.market);
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("option").first()).toBeVisible();
  },
  "an address that is no page": async (page) => {
    await open(page, "/no/such/page");
    await expect(page.getByTestId("not-found")).toBeVisible();
  },
};

for (const [theme, size] of [["dark", "narrow"], ["light", "wide"]] as const) {
  test.describe(`${theme}, ${size}`, () => {
    test.use({ colorScheme: theme, viewport: VIEWPORTS[size] });

    for (const [name, reach] of Object.entries(STATES)) {
      test(`${name} has no finding`, async ({ page, request }) => {
        await reach(page, request);
        expect(await findings(page)).toBe("");
        await expectNoSidewaysScroll(page);
      });
    }

    test("a page that has lost its connection has no finding", async ({ page }) => {
      await overWire(page, async ({ url, cut }) => {
        await open(page, url + PAGES.market);
        await cut();
        await expect(page.getByTestId("live-status")).toHaveAttribute("data-connection", "reconnecting");
        await expect(page.getByTestId("tile-prices")).toHaveAttribute("data-stale", "true");
        expect(await findings(page)).toBe("");
        await expectNoSidewaysScroll(page);
      });
    });
  });
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
