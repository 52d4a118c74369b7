// How a tile stands while it reads, when that fails, when no news arrive, and when a commit arrives: its picture stays.
import type { APIRequestContext, Locator, Page } from "@playwright/test";
import {
  commit, daysAgo, define, expect, FAILURE, open, overWire, PAGES, pixels, spoil, test, textOf, whenAsked,
} from "./support";

/** A settled past, which no commit reads again: what a tile asks, it asks because somebody chose something. */
const past = { from: daysAgo(100), to: daysAgo(40), known: `${daysAgo(39)}T12:00:00Z` };
const address = `${PAGES["benchmark-index"]}?from=${past.from}&to=${past.to}&known=${past.known}`;
/** What the chart of the level asks, and no other tile of that page. */
const LEVEL = "SELECT 'shown' AS series";

const tile = (page: Page): Locator => page.getByTestId("tile-level");
const chart = (page: Page): Locator => page.getByTestId("chart-level");
const canvas = (page: Page): Locator => chart(page).locator("canvas").first();
/** What is told to those who do not see the tile. */
const told = (page: Page): Locator => tile(page).locator(":scope > [role=status]");

const picture = (page: Page): Promise<string> => canvas(page).evaluate((element) => (element as HTMLCanvasElement).toDataURL());

/** What is the same when it is read again a moment later. */
async function steady<T>(read: () => T | Promise<T>): Promise<T> {
  let last = await read();
  const same = async (): Promise<boolean> => {
    const before = last;
    last = await read();
    return last === before;
  };
  await expect.poll(same, { intervals: [300] }).toBe(true);
  return last;
}

async function chooseDays(page: Page, from: string, to: string): Promise<void> {
  const field = page.getByTestId("effective-field");
  await field.fill(`${from} – ${to}`);
  await field.press("Enter");
  await expect.poll(() => new URL(page.url()).searchParams.get("to")).toBe(to);
}

test("a tile that waits for other coordinates says so, and keeps its picture pixel by pixel until the other is there", async ({ page }) => {
  await open(page, address);
  // Fonts that arrive late have it drawn again.
  const before = await steady(() => picture(page));
  expect((await pixels(canvas(page), "--series-1")).coloured, "pixels of the level").toBeGreaterThan(300);
  const last = await textOf(page.getByTestId("kpi-last"));
  let release = (): void => {};
  const released = new Promise<void>((done) => (release = done));
  await whenAsked(page, LEVEL, async (route) => {
    await released;
    await route.continue();
  });
  await chooseDays(page, daysAgo(90), daysAgo(50));
  await expect(tile(page)).toHaveAttribute("data-state", "loading");
  await expect(told(page)).toHaveText("TMK30 level: loading");
  // Meanwhile the others have gone on.
  await expect(page.getByTestId("kpi-last")).not.toHaveText(last);
  await expect(tile(page)).toHaveAttribute("data-state", "loading");
  expect(await picture(page), "the picture while the tile waits").toBe(before);
  release();
  await expect(tile(page)).toHaveAttribute("data-state", "ready");
  await expect(told(page)).toHaveText("");
  await expect.poll(() => picture(page)).not.toBe(before);
  expect((await pixels(canvas(page), "--series-1")).coloured).toBeGreaterThan(300);
});

/** From where the focus is, by Tab alone. */
async function enterByKeyboard(page: Page, button: Locator): Promise<void> {
  const focused = (): Promise<boolean> => button.evaluate((element) => element === document.activeElement);
  for (let presses = 0; presses < 60 && !(await focused()); presses += 1) await page.keyboard.press("Tab");
  await expect(button).toBeFocused();
  await page.keyboard.press("Enter");
}

const WAYS: [string, (page: Page, button: Locator) => Promise<void>][] = [
  ["a click", (_, button) => button.click()],
  ["the keyboard alone", enterByKeyboard],
];

for (const [way, press] of WAYS) {
  test(`a tile that could not be read says why over its older picture, and is read again by ${way}`, async ({ page }) => {
    await open(page, address);
    const said = (await chart(page).getAttribute("aria-label"))!;
    const read = (await tile(page).locator(".tile-fresh").getAttribute("title"))!;
    let [spoilt, asked] = [true, 0];
    await whenAsked(page, LEVEL, async (route) => {
      await (spoilt ? spoil(route) : route.continue());
      asked += 1;
    });
    await chooseDays(page, daysAgo(90), daysAgo(50));
    await expect(tile(page)).toHaveAttribute("data-state", "error");
    const trouble = tile(page).locator(".tile-error");
    await expect(trouble).toContainText(`This could not be read: ${FAILURE}. What is shown below is older.`);
    await expect(told(page)).toHaveText(`TMK30 level: ${FAILURE}`);
    await expect(chart(page)).toHaveAttribute("aria-label", said);
    expect((await pixels(canvas(page), "--series-1")).coloured, "pixels of the older picture").toBeGreaterThan(300);
    await expect(tile(page).locator(".tile-fresh")).toHaveAttribute("title", read);
    // The others were read.
    await expect(page.getByTestId("tile-last")).toHaveAttribute("data-state", "ready");

    const retry = trouble.getByRole("button", { name: "Retry" });
    const before = await steady(() => asked);
    await retry.click();
    await expect.poll(() => asked, { message: "asked again" }).toBeGreaterThan(before);
    await steady(() => asked);
    // It failed again, and goes on saying so.
    await expect(tile(page)).toHaveAttribute("data-state", "error");
    await expect(trouble).toContainText(FAILURE);
    spoilt = false;
    await page.getByTestId("effective-field").focus();
    await press(page, retry);
    await expect(tile(page)).toHaveAttribute("data-state", "ready");
    await expect(trouble).toHaveCount(0);
    await expect(chart(page)).not.toHaveAttribute("aria-label", said);
    await expect.poll(async () => (await pixels(canvas(page), "--series-1")).coloured).toBeGreaterThan(300);
  });
}

test("while no news arrive each tile of what is known now says that it is not live, and one of old knowledge does not", async ({ page }) => {
  await overWire(page, async ({ url, cut, mend }) => {
    await open(page, `${url}${PAGES.market}?own=traded(known:-30d)`);
    const status = page.getByTestId("live-status");
    const tiles = page.locator("main section.tile[data-state]");
    const stale = page.locator("main section.tile[data-stale=true]");
    const all = await tiles.count();
    expect(all, "tiles of the page").toBeGreaterThan(10);
    await expect(stale).toHaveCount(0);
    await expect(page.locator(".tile-fresh").filter({ hasText: "not live" })).toHaveCount(0);

    await cut();
    await expect(status).toHaveAttribute("data-connection", "reconnecting");
    await expect(stale).toHaveCount(all - 1);
    await expect(page.getByTestId("tile-traded")).not.toHaveAttribute("data-stale");
    await expect(page.getByTestId("tile-traded").locator(".tile-fresh")).toHaveText(/^↕ .* UTC$/);
    for (const one of await stale.all()) {
      const fresh = one.locator(".tile-fresh");
      await expect(fresh).toHaveText(/^\d\d:\d\d:\d\d UTC, not live$/);
      expect((await fresh.boundingBox())!.width, "width of the words").toBeGreaterThan(60);
    }

    await mend();
    await expect(status).toHaveAttribute("data-connection", "live", { timeout: 30_000 });
    await expect(stale).toHaveCount(0);
    await expect(page.getByTestId("tile-prices").locator(".tile-fresh")).toHaveText(/^\d\d:\d\d:\d\d UTC$/);
  });
});

const NAME = "e2e-line";
const DAYS = ["2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09"];

/** A dashboard with a line over facts that nobody else commits, and a table that makes the page longer than the window. */
async function storeLine(request: APIRequestContext): Promise<void> {
  await define(request, "line_tiles", { n: "int64" });
  await commit(request, "line_tiles", DAYS.map((from, index) => ({ id: "a", n: 200 + index, from })));
  const sql = "SELECT valid_from AS at, n FROM line_tiles ORDER BY valid_from";
  const line = { title: "Line", mark: "line", x: { column: "at", format: "day" }, y: [{ column: "n", title: "Value" }] };
  const tiles = [
    { id: "line", title: "Line", width: 12, tall: true, sql, picture: { chart: line } },
    { id: "facts", title: "Facts", width: 12, sql, picture: { grid: {} } },
  ];
  await request.delete(`/api/v1/dashboards/${NAME}`);
  const answer = await request.put(`/api/v1/dashboards/${NAME}?author=Ann`, { data: { name: NAME, title: "Line", folder: "tests/states", tiles } });
  expect(answer.ok(), await answer.text()).toBe(true);
}

/** What was there in any frame; of what comes again and again, where it changed. */
interface Watched {
  frames: number;
  blank: number;
  pictures: number[];
  fresh: string[];
  boxes: string[];
  scrolls: number[];
}

/** Looks at the tile in each frame from now on. */
async function watch(page: Page): Promise<void> {
  await page.evaluate(() => {
    const watched: Watched = { frames: 0, blank: 0, pictures: [], fresh: [], boxes: [], scrolls: [] };
    Object.assign(window, { watched });
    const one = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
    one.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--series-1").trim();
    one.fillRect(0, 0, 1, 1);
    const wanted = one.getImageData(0, 0, 1, 1).data;
    const note = <T>(list: T[], value: T): void => {
      if (list.at(-1) !== value) list.push(value);
    };
    const near = (a: number, b: number): boolean => Math.abs(a - b) <= 24;
    /** How many pixels of the series there are, and a number that stands for all pixels. */
    const drawn = (): { coloured: number; all: number } => {
      const canvas = document.querySelector<HTMLCanvasElement>("[data-testid=chart-line] canvas");
      if (!canvas || canvas.width === 0 || canvas.height === 0) return { coloured: 0, all: 0 };
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      let [coloured, all] = [0, 0];
      for (let i = 0; i < data.length; i += 4) {
        const [red, green, blue] = [data[i]!, data[i + 1]!, data[i + 2]!];
        if (data[i + 3]! > 0 && near(red, wanted[0]!) && near(green, wanted[1]!) && near(blue, wanted[2]!)) coloured += 1;
        all = (Math.imul(all, 31) + (red << 16) + (green << 8) + blue) | 0;
      }
      return { coloured, all };
    };
    const look = (): void => {
      const tile = document.querySelector("[data-testid=tile-line]");
      const box = tile?.getBoundingClientRect();
      const { coloured, all } = drawn();
      watched.frames += 1;
      if (coloured === 0) watched.blank += 1;
      note(watched.pictures, all);
      note(watched.fresh, tile?.querySelector(".tile-fresh")?.textContent ?? "");
      note(watched.boxes, box ? [box.x, box.y, box.width, box.height].map((px) => px.toFixed(1)).join(" ") : "gone");
      note(watched.scrolls, window.scrollY);
      requestAnimationFrame(look);
    };
    look();
  });
}

test("a commit moves a line without a blank frame, a jump of the page, or a shift of the tile", async ({ page, request }) => {
  await storeLine(request);
  await page.setViewportSize({ width: 1440, height: 500 });
  await open(page, `/dashboards/${NAME}`);
  const line = page.getByTestId("chart-line").locator("canvas").first();
  await expect.poll(async () => (await pixels(line, "--series-1")).coloured).toBeGreaterThan(20);
  await page.evaluate(async () => {
    await document.fonts.ready;
    window.scrollTo(0, 120);
  });
  await watch(page);
  const watched = () => page.evaluate(() => (window as unknown as { watched: Watched }).watched);
  const values = [420, 260, 380];
  for (const n of values) {
    const before = (await watched()).pictures.length;
    await commit(request, "line_tiles", [{ id: "a", n, from: DAYS[2] }]);
    await expect.poll(async () => (await watched()).pictures.length, { message: `${n} is drawn` }).toBeGreaterThan(before);
  }
  const { frames, blank, pictures, fresh, boxes, scrolls } = await watched();
  expect(frames, "frames looked at").toBeGreaterThan(20);
  expect(blank, "frames in which the line is gone").toBe(0);
  expect(pictures.length, "pictures, of the beginning and of each commit").toBeGreaterThan(values.length);
  expect(fresh.length, "times of the commits that were shown").toBeGreaterThan(1);
  expect(boxes, "where the tile was").toHaveLength(1);
  expect(scrolls, "how far the page was scrolled").toEqual([120]);
  await request.delete(`/api/v1/dashboards/${NAME}`);
});
