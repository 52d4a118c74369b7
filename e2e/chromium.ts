// How Chromium is started, for the tests and for look.ts: the system's browser, nothing of its own on the network.
import type { LaunchOptions } from "@playwright/test";

export const chromiumOptions: LaunchOptions = {
  executablePath: process.env.TIDEMARK_CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

/** To be run in pages first where scripts are run by tsx: it gives functions their names by this, which a page lacks. */
export const namesOfFunctions = { content: "globalThis.__name ??= (f) => f" };

/** To be run in pages first where their measures are asked for, which pages do not keep: `spans` by name, in milliseconds. */
export const keepSpans = {
  content: `globalThis.spans = {};
    new PerformanceObserver((seen) => {
      for (const { name, duration } of seen.getEntries()) (globalThis.spans[name] ??= []).push(duration);
    }).observe({ type: "measure" });`,
};
