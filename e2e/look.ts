// Pictures of every page in both themes, wide and narrow, to be looked at:  npm run look -- FOLDER
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import { chromiumOptions } from "./chromium";
import { PAGES, settled, THEMES, VIEWPORTS } from "./pages";
import { startDemo } from "./server";

const folder = process.argv[2];
if (!folder) {
  console.error("usage: npm run look -- FOLDER");
  process.exit(2);
}
/** Beside the pages: every kind of tile, and a page of old knowledge. */
const SHOWN = { ...PAGES, gallery: "/dashboards/gallery", "market-past": "/dashboards/market?known=-30d", "diff-reports": "/diff?dataset=reports" };
mkdirSync(folder, { recursive: true });

const server = await startDemo();
const browser = await chromium.launch(chromiumOptions);
try {
  for (const theme of THEMES) {
    for (const [size, viewport] of Object.entries(VIEWPORTS)) {
      const context = await browser.newContext({ viewport, colorScheme: theme, timezoneId: "UTC", locale: "en-GB" });
      const page = await context.newPage();
      for (const [name, path] of Object.entries(SHOWN)) {
        await page.goto(server.url + path);
        await settled(page).catch((error: Error) => console.error(`${name}: ${error.message.split("\n")[0]}`));
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
