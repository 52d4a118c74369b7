// Pictures of every page, and of what opens on it, in both themes, wide and narrow, to be looked at:
//   npm run look -- FOLDER [NAME …]     only those of these names
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import type { Page } from "@playwright/test";
import { chromiumOptions } from "./chromium";
import { PAGES, settled, THEMES, VIEWPORTS } from "./pages";
import { startDemo } from "./server";

const [folder, ...wanted] = process.argv.slice(2);
if (!folder) {
  console.error("usage: npm run look -- FOLDER [NAME …]");
  process.exit(2);
}

type Shown = string | { path: string; act: (page: Page) => Promise<void> };
/** Beside the pages: every kind of tile, data that is hard on them, old knowledge, and what opens over a page or on a tile. */
const SHOWN: Record<string, Shown> = {
  ...PAGES,
  gallery: "/dashboards/gallery",
  "bad-input": "/dashboards/bad-input",
  "market-past": "/dashboards/market?known=-30d",
  "market-first": "/dashboards/market?known=first",
  "market-compared": "/dashboards/market?last=3m&vs=prev",
  "market-only": "/dashboards/market?only=sector:Energy",
  "diff-reports": "/diff?dataset=reports",
  "no-page": "/no/such/page",
  versions: {
    path: "/dashboards/market",
    async act(page) {
      await page.getByRole("region", { name: "Prices, latest first: table" }).focus();
      for (const key of ["ArrowDown", "Enter"]) await page.keyboard.press(key);
      await settled(page);
      await page.getByTestId("chart-versions").focus();
      for (const key of ["Home", "Enter", "ArrowRight", "Enter"]) await page.keyboard.press(key);
    },
  },
  "plane-compared": {
    path: "/dashboards/gallery",
    async act(page) {
      await page.getByTestId("chart-plane").focus();
      for (const key of ["Home", "Enter", "ArrowRight", "Enter"]) await page.keyboard.press(key);
      await page.getByTestId("compared-plane").waitFor();
    },
  },
  zoomed: {
    path: "/dashboards/market",
    async act(page) {
      await page.getByTestId("chart-prices").focus();
      for (const key of ["+", "+", "+", "+", "PageUp"]) await page.keyboard.press(key);
      await settled(page);
      await page.waitForTimeout(500);
    },
  },
  "own-times": {
    path: "/dashboards/market",
    async act(page) {
      await page.getByTestId("times-prices").click();
      await page.getByTestId("own-effective-field").waitFor();
    },
  },
  "chart-as-table": {
    path: "/dashboards/market",
    async act(page) {
      await page.getByTestId("chart-sectors-toggle").click();
    },
  },
  "palette-open": {
    path: "/dashboards/market",
    async act(page) {
      await page.keyboard.press("Control+k");
      await page.keyboard.type("market");
    },
  },
  "keys-open": {
    path: "/dashboards/market",
    async act(page) {
      await page.keyboard.press("?");
    },
  },
};
const named = Object.entries(SHOWN).filter(([name]) => wanted.length === 0 || wanted.includes(name));
const dashboards = join(fileURLToPath(import.meta.url), "../dashboards");
mkdirSync(folder, { recursive: true });

const server = await startDemo(["--dashboards", dashboards]);
const browser = await chromium.launch(chromiumOptions);
try {
  for (const theme of THEMES) {
    for (const [size, viewport] of Object.entries(VIEWPORTS)) {
      const context = await browser.newContext({ viewport, colorScheme: theme, timezoneId: "UTC", locale: "en-GB" });
      const page = await context.newPage();
      for (const [name, shown] of named) {
        const said = (error: Error): void => console.error(`${name}: ${error.message.split("\n")[0]}`);
        await page.goto(server.url + (typeof shown === "string" ? shown : shown.path));
        await settled(page).catch(said);
        if (typeof shown !== "string") await shown.act(page).catch(said);
        const file = join(folder, `${name}-${theme}-${size}.png`);
        await page.screenshot({ path: file, fullPage: true });
        console.log(file);
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
  await server.stop();
}
