import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { commit, committed, define, expect, number, open, PAGES, pixels, settled, test, textOf } from "./support";

test("a commit reaches the tiles within a second and a half, without a jump and without a flicker", async ({ page, request }) => {
  await define(request, "live_tiles", { n: "int64" });
  await commit(request, "live_tiles", [{ id: "a", n: 1, from: "2026-01-01" }]);
  const before = new Date(Date.now() - 1_000).toISOString();
  await open(page, `${PAGES.diff}?dataset=live_tiles&from=first&a=${before.slice(0, 19)}Z`);
  const added = page.getByTestId("count-all");
  const shown = number(await textOf(added));
  await page.setViewportSize({ width: 1440, height: 500 });
  await page.evaluate(() => window.scrollTo(0, 200));
  // Whatever is emptied for a moment is seen here.
  await page.evaluate(() => {
    const state = window as unknown as { emptied: number };
    state.emptied = 0;
    const look = (): void => {
      if (document.querySelector("[data-testid=table-changes] tbody tr:not(.spacer)") === null) state.emptied += 1;
      requestAnimationFrame(look);
    };
    look();
  });
  const at = Date.now();
  await commit(request, "live_tiles", [{ id: "b", n: 2, from: "2026-01-01" }]);
  const acknowledged = Date.now();
  await expect.poll(async () => number(await textOf(added)), { intervals: [20] }).toBe(shown + 1);
  test.info().annotations.push({ type: "millis from the commit to the screen", description: `${Date.now() - acknowledged} of ${Date.now() - at}` });
  expect(await page.evaluate(() => (window as unknown as { emptied: number }).emptied)).toBe(0);
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

interface Wire {
  url: string;
  /** Closes what is open, and takes nothing any more. */
  cut: () => Promise<void>;
  /** Nothing passes any more, and nothing is closed: a network that is gone. */
  silence: () => void;
  mend: () => Promise<void>;
  end: () => Promise<void>;
}

/** What stands between the browser and the server, and can be cut. */
async function wire(): Promise<Wire> {
  const target = new URL(process.env.TIDEMARK_URL!);
  const open = new Set<Socket>();
  let silent = false;
  const server = createServer((near) => {
    if (silent) return void open.add(near.on("error", () => near.destroy()));
    const far = connect(Number(target.port), target.hostname);
    for (const [one, other] of [[near, far], [far, near]] as const) {
      open.add(one);
      one.on("error", () => one.destroy()).on("close", () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  const listen = (port: number) => new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const cut = () =>
    new Promise<void>((done) => {
      server.close(() => done());
      open.forEach((socket) => socket.destroy());
    });
  const silence = (): void => {
    silent = true;
    open.forEach((socket) => socket.unpipe().pause());
  };
  const mend = async (): Promise<void> => {
    // What was silent stays so; only a new connection is heard.
    if (silent) silent = false;
    else await listen(port);
  };
  return { url: `http://127.0.0.1:${port}`, cut, silence, mend, end: cut };
}

test("a lost connection is said, keeps the pictures, and is made up for", async ({ page }) => {
  const { url, cut, mend, end } = await wire();
  const direct = process.env.TIDEMARK_URL;
  process.env.TIDEMARK_URL = url;
  try {
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
    await page.goto("about:blank");
  } finally {
    await end();
    process.env.TIDEMARK_URL = direct;
  }
});

test("a network that is gone for ten minutes is said, and what was missed is made up for", async ({ page }) => {
  test.setTimeout(120_000);
  const { url, silence, mend, end } = await wire();
  const direct = process.env.TIDEMARK_URL;
  process.env.TIDEMARK_URL = url;
  try {
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
    await page.goto("about:blank");
  } finally {
    await end();
    process.env.TIDEMARK_URL = direct;
  }
});
