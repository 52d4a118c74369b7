import { defineConfig } from "@playwright/test";
import { chromiumOptions } from "./chromium";

export default defineConfig({
  testDir: "tests",
  globalSetup: "./global-setup.ts",
  // One after the other: all share one live lake, and some write to it.
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  retries: 0,
  timeout: 45_000,
  expect: { timeout: 10_000 },
  outputDir: "test-results/artifacts",
  reporter: [["list"], ["json", { outputFile: "test-results/results.json" }]],
  use: {
    baseURL: process.env.TIDEMARK_URL,
    launchOptions: chromiumOptions,
    viewport: { width: 1440, height: 900 },
    timezoneId: "UTC",
    locale: "en-GB",
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
  },
});
