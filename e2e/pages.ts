// The pages there are, and when one has come to rest.
import type { Page } from "@playwright/test";

export const PAGES = {
  home: "/",
  "benchmark-index": "/dashboards/benchmark-index",
  market: "/dashboards/market",
  "bond-desk": "/dashboards/bond-desk?last=1y",
  restatements: "/dashboards/restatements?last=1y",
  operations: "/dashboards/operations",
  diff: "/diff",
  explore: "/explore?dataset=prices",
  "editor-new": "/dashboards/new",
  "editor-market": "/dashboards/market/edit?tile=sectors",
  "editor-choices": "/dashboards/choices/edit",
  "semantic-layer": "/semantics?dataset=prices",
  dashboards: "/dashboards",
  "market-read": "/dashboards/market?mode=read",
  "market-kiosk": "/dashboards/market?mode=kiosk",
  pipeline: "/admin/pipeline",
  scaling: "/admin/scaling",
  docs: "/docs",
  "docs-semantics": "/docs/semantics",
  "docs-grammar": "/docs/grammar",
  "docs-periods": "/docs/periods",
  "docs-recipes": "/docs/recipes",
  "docs-api": "/docs/api",
  "docs-upkeep": "/docs/upkeep",
  "docs-scaling": "/docs/scaling",
  "docs-search": "/docs/search?q=as+of",
  design: "/design",
} as const;

const FURTHER = ["bond-desk", "restatements", "operations"];
const isDashboard = ([, path]: readonly [string, string]): boolean => (path.startsWith("/dashboards/") && !/\/(new|edit|versions)\b|[?&]mode=/.test(path)) || path === "/diff";
/** Dashboards beyond the two that home shows first. */
export const FURTHER_DASHBOARDS = Object.entries(PAGES).filter(([name]) => FURTHER.includes(name));
export const DASHBOARDS = Object.entries(PAGES).filter((page) => isDashboard(page) && !FURTHER.includes(page[0]));
/** The written pages of the documentation. */
export const DOCS = Object.entries(PAGES).filter(([, path]) => path.startsWith("/docs") && !path.includes("?"));
export const THEMES = ["light", "dark"] as const;
export const DENSITIES = ["comfortable", "compact"] as const;
export const VIEWPORTS = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } } as const;

/** Waits until the page runs (hydrated, live stream open) and no tile loads any more, but those that are samples of one. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(
    () => {
      const live = document.querySelector("[data-testid=live-status]");
      const tiles = [...document.querySelectorAll("[data-state]")].filter((tile) => tile !== live && !tile.closest("[data-sample]"));
      // Only a page that runs hears of the lake; the server writes the last epoch as well.
      const listens = live?.getAttribute("data-connection") === "live" && live.getAttribute("data-epoch");
      return listens && tiles.every((tile) => tile.getAttribute("data-state") !== "loading");
    },
    undefined,
    { timeout: 20_000 },
  );
}
