import { commit, committed, define, expect, number, open, overWire, PAGES, pixels, settled, test, textOf } from "./support";

/** How long after its own time a commit is on screen at the latest. */
const LATE_MS = 1_500;
const COMMITS = 5;

/** When each count was on screen first, and how often the rows were gone. */
interface Watched {
  emptied: number;
  seen: Record<string, number>;
}

test("a commit reaches the tiles within a second and a half, without a jump and without a flicker", async ({ page, request }) => {
  await define(request, "live_tiles", { n: "int64" });
  // Of names that no other run has used, so that each of them is one row more.
  const run = Date.now();
  const first = await commit(request, "live_tiles", [{ id: `${run}`, n: 1, from: "2026-01-01" }]);
  const before = new Date(Date.parse(first) - 1_000).toISOString();
  await open(page, `${PAGES.diff}?dataset=live_tiles&from=first&a=${before.slice(0, 19)}Z`);
  const shown = number(await textOf(page.getByTestId("count-all")));
  await page.setViewportSize({ width: 1440, height: 500 });
  await page.evaluate(() => window.scrollTo(0, 200));
  // Looked at from inside, frame by frame: what is emptied for a moment is seen, and asking takes no time of its own.
  await page.evaluate(() => {
    const watched: Watched = { emptied: 0, seen: {} };
    Object.assign(window, { watched });
    const look = (): void => {
      if (document.querySelector("[data-testid=table-changes] tbody tr:not(.spacer)") === null) watched.emptied += 1;
      watched.seen[document.querySelector("[data-testid=count-all]")?.textContent ?? ""] ??= Date.now();
      requestAnimationFrame(look);
    };
    look();
  });
  const watched = () => page.evaluate(() => (window as unknown as { watched: Watched }).watched);
  const delays: number[] = [];
  for (let count = shown + 1; count <= shown + COMMITS; count += 1) {
    const at = await commit(request, "live_tiles", [{ id: `${run} ${count}`, n: count, from: "2026-01-01" }]);
    await expect.poll(async () => (await watched()).seen[count], { message: `${count} rows on screen` }).toBeDefined();
    delays.push((await watched()).seen[count]! - Date.parse(at));
  }
  // Of several, because a machine that is busy with something else holds up one or two.
  const median = delays.toSorted((a, b) => a - b)[Math.floor(COMMITS / 2)]!;
  test.info().annotations.push({ type: "millis from commits to the screen", description: `${delays.join(", ")}; median ${median}` });
  expect(median, `median of ${delays.join(", ")} ms`).toBeLessThanOrEqual(LATE_MS);
  expect((await watched()).emptied, "frames without rows").toBe(0);
  expect(await page.evaluate(() => window.scrollY)).toBe(200);
});

test("paused, a page stands still, and goes on from the last commit", async ({ page, request }) => {
  await open(page, PAGES.market);
  const pause = page.getByTestId("pause");
  await pause.click();
  await expect(pause).toHaveAttribute("aria-pressed", "true");
  await expect(page.getByTestId("live-status")).toContainText("paused");
  const status = page.getByTestId("live-status");
  const stands = await status.getAttribute("data-epoch");
  const time = await committed(request);
  await expect.poll(() => committed(request)).not.toBe(time);
  await page.waitForTimeout(1_500);
  expect(await status.getAttribute("data-epoch")).toBe(stands);
  await pause.click();
  await expect.poll(async () => Number(await status.getAttribute("data-epoch"))).toBeGreaterThan(Number(stands));
  await expect(pause).toHaveAttribute("aria-pressed", "false");
});

test("each tile says when what it shows was read, and on an old page as of when it is known", async ({ page }) => {
  await open(page, PAGES.market);
  const fresh = page.getByTestId("tile-prices").locator(".tile-fresh");
  await expect(fresh).toHaveText(/^\d\d:\d\d:\d\d UTC$/);
  await expect(fresh).toHaveAttribute("title", /^Read as of the commit of /);
  const first = await textOf(fresh);
  await expect(fresh).not.toHaveText(first);
  await open(page, `${PAGES.market}?known=-30d`);
  await expect(fresh).toHaveText(/^↕ .* UTC$/);
});

test("a lost connection is said, keeps the pictures, and is made up for", async ({ page }) => {
  await overWire(page, async ({ url, cut, mend }) => {
    await open(page, url + PAGES.market);
    const status = page.getByTestId("live-status");
    const before = Number(await status.getAttribute("data-epoch"));
    await cut();
    await expect(status).toHaveAttribute("data-connection", "reconnecting");
    // Commits that nobody hears of, and a reader who goes on working.
    await page.waitForTimeout(3_000);
    const prices = page.getByTestId("tile-prices");
    await page.getByTestId("effective-preset").selectOption({ label: "Month to date" });
    await expect(prices).toHaveAttribute("data-state", "error");
    await expect(prices).toContainText("could not be reached");
    expect((await pixels(page.getByTestId("chart-prices").locator("canvas").first(), "--series-1")).coloured).toBeGreaterThan(50);
    await mend();
    await expect(status).toHaveAttribute("data-connection", "live", { timeout: 30_000 });
    // What failed is read again by itself.
    await settled(page);
    await expect(prices).toHaveAttribute("data-state", "ready");
    expect(Number(await status.getAttribute("data-epoch"))).toBeGreaterThan(before + 2);
  });
});

test("a network that is gone for ten minutes is said, and what was missed is made up for", async ({ page }) => {
  test.setTimeout(120_000);
  await overWire(page, async ({ url, silence, mend }) => {
    await page.clock.install();
    await open(page, url + PAGES.market);
    const status = page.getByTestId("live-status");
    const before = Number(await status.getAttribute("data-epoch"));
    const canvas = page.getByTestId("chart-prices").locator("canvas").first();
    silence();
    await page.clock.fastForward("10:00");
    await expect(status).toHaveAttribute("data-connection", "reconnecting");
    expect((await pixels(canvas, "--series-1")).coloured).toBeGreaterThan(50);
    await mend();
    // A browser asks again on what connections it still takes for open, one after the other.
    const connection = async (): Promise<string | null> => {
      await page.clock.fastForward("00:10");
      return status.getAttribute("data-connection");
    };
    await expect.poll(connection, { timeout: 60_000, intervals: [1_500] }).toBe("live");
    await expect.poll(async () => Number(await status.getAttribute("data-epoch"))).toBeGreaterThan(before);
    const fresh = page.getByTestId("tile-prices").locator(".tile-fresh");
    const first = await textOf(fresh);
    await expect(fresh).not.toHaveText(first);
  });
});
