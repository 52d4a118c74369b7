import { expect, expectNoSidewaysScroll, number, open, pixels, table, test, twin, VIEWPORTS } from "./support";
import type { Locator, Page } from "@playwright/test";

const address = "/dashboards/bad-input?from=2026-01-01&to=2026-01-31";
const tile = (page: Page, id: string) => page.getByTestId(`tile-${id}`);
const canvas = (page: Page, id: string) => page.getByTestId(`chart-${id}`).locator("canvas").first();

/** As the definition names them, without the space at the end of the first. */
const NAMES = ["Very long name ".repeat(27).trim(), "N".repeat(400), "سعر الإغلاق XLON", "מדד תל־אביב 35"];
const RIGHT_TO_LEFT = NAMES[2]!;
/** Null, what is not a number and both infinities between two numbers, as a table writes them. */
const ODD = ["1", "–", "not a number", "∞", "−∞", "4"];
const ODD_NAMES = ["one", "null", "nan", "up", "down", "four"];
/** Across a dot of three pixels' radius, with its edges. */
const DOT_PX = 8;

interface Spot {
  left: number;
  right: number;
  top: number;
  bottom: number;
  pixels: number;
}

/** What stands on a canvas in the colour of the first series, from left to right, parted where a stretch is free of it. */
function marks(canvas: Locator): Promise<Spot[]> {
  return canvas.evaluate((element) => {
    const { width, height } = element as HTMLCanvasElement;
    const token = getComputedStyle(document.documentElement).getPropertyValue("--series-1").trim();
    const wanted = [1, 3, 5].map((at) => parseInt(token.slice(at, at + 2), 16));
    const { data } = (element as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, width, height);
    const found: Spot[] = [];
    for (let x = 0; x < width; x += 1) {
      for (let y = 0; y < height; y += 1) {
        const at = 4 * (y * width + x);
        // Of antialiased edges the stronger half.
        if (data[at + 3]! < 128 || wanted.some((value, channel) => Math.abs(data[at + channel]! - value) > 24)) continue;
        let spot = found.at(-1);
        if (!spot || x - spot.right > 3) found.push((spot = { left: x, right: x, top: y, bottom: y, pixels: 0 }));
        spot.right = x;
        spot.top = Math.min(spot.top, y);
        spot.bottom = Math.max(spot.bottom, y);
        spot.pixels += 1;
      }
    }
    return found;
  });
}

/** The same of a chart that shows so many. */
async function spots(page: Page, id: string, count: number): Promise<Spot[]> {
  await expect.poll(async () => (await marks(canvas(page, id))).length, `marks of ${id}`).toBe(count);
  return marks(canvas(page, id));
}

function expectDot(spot: Spot, what: string): void {
  expect(spot.pixels, what).toBeGreaterThanOrEqual(12);
  expect(spot.right - spot.left, `width of ${what}`).toBeLessThanOrEqual(DOT_PX);
  expect(spot.bottom - spot.top, `height of ${what}`).toBeLessThanOrEqual(DOT_PX);
}

/** What can be seen of a tile outside of it: elements and words, as far as no box around them cuts them off. */
function strays(tile: Locator): Promise<string[]> {
  return tile.evaluate((tile) => {
    const edge = tile.getBoundingClientRect();
    const found: string[] = [];
    const look = (rects: DOMRectList, inside: Element | null, what: string): void => {
      for (const { left, right, top, bottom } of rects) {
        const box = { left, right, top, bottom };
        for (let around = inside; around && around !== tile; around = around.parentElement) {
          if (getComputedStyle(around).overflow === "visible") continue;
          const cut = around.getBoundingClientRect();
          box.left = Math.max(box.left, cut.left);
          box.right = Math.min(box.right, cut.right);
          box.top = Math.max(box.top, cut.top);
          box.bottom = Math.min(box.bottom, cut.bottom);
        }
        if (box.left >= box.right || box.top >= box.bottom) continue;
        const within =
          box.left >= edge.left - 1 && box.right <= edge.right + 1 && box.top >= edge.top - 1 && box.bottom <= edge.bottom + 1;
        if (!within) found.push(`${what}: ${JSON.stringify(box)} of ${JSON.stringify(edge)}`);
      }
    };
    const nodes = document.createTreeWalker(tile, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
      if (node instanceof Element) {
        look(node.getClientRects(), node.parentElement, `${node.tagName}.${node.getAttribute("class") ?? ""}`);
      } else {
        const range = document.createRange();
        range.selectNodeContents(node);
        look(range.getClientRects(), node.parentElement, `'${(node.textContent ?? "").slice(0, 40)}'`);
      }
    }
    return found;
  });
}

/** Whether the first letter of a cell stands to the right of its last. */
function runsFromTheRight(cell: Locator): Promise<boolean> {
  return cell.evaluate((cell) => {
    const text = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT).nextNode() as Text;
    const place = (from: number): number => {
      const range = document.createRange();
      range.setStart(text, from);
      range.setEnd(text, from + 1);
      return range.getBoundingClientRect().left;
    };
    return place(0) > place(text.length - 1);
  });
}

test("what cannot be drawn says why and what to do, and its neighbours are drawn", async ({ page }) => {
  await open(page, address);
  await expect(page.locator("h1")).toHaveText("What people will put in");
  const says = async (id: string, state: string, words: RegExp): Promise<void> => {
    await expect(tile(page, id), id).toHaveAttribute("data-state", state);
    await expect(tile(page, id), id).toContainText(words);
  };
  await says("categories", "error", /'name' has more than [\d,]+ values; show the top ones, or choose another column/);
  await says("empty", "empty", /There is nothing to show yet/);
  await says("nulls", "empty", /none of them has a value/);
  await says("failing", "error", /nowhere/);
  await says("text", "error", /'v' .*has to be a time, a date or a number/);
  await says("missing", "error", /the answer has no column 'v'/);
  for (const id of ["failing", "categories"]) await expect(tile(page, id).getByRole("button", { name: "Retry" })).toBeVisible();
  for (const id of ["equal", "single", "infinite", "long", "rtl"]) {
    await expect(tile(page, id), id).toHaveAttribute("data-state", "ready");
    const { coloured } = await pixels(canvas(page, id), "--series-1");
    expect(coloured, id).toBeGreaterThan(3);
  }
});

test("ten thousand series are drawn, and their legend stays short", async ({ page }) => {
  await open(page, address);
  await expect(tile(page, "series")).toHaveAttribute("data-state", "ready");
  await expect(tile(page, "series").locator(".legend")).toContainText("9,992 others");
  expect(await tile(page, "series").locator(".legend li").count()).toBeLessThan(20);
  expect((await pixels(canvas(page, "series"), "--series-others")).coloured).toBeGreaterThan(50);
});

test("infinite values and NaN are gaps, and the table names them", async ({ page }) => {
  await open(page, address);
  await page.getByTestId("chart-infinite-toggle").click();
  const cells = page.getByTestId("table-infinite").locator("tbody tr:not(.spacer) td");
  await expect(cells).toHaveText(["4", "−∞", "∞", "not a number", "1"]);
});

test("long names and names from right to left break no page", async ({ page }) => {
  for (const viewport of Object.values(VIEWPORTS)) {
    await page.setViewportSize(viewport);
    await open(page, address);
    await expectNoSidewaysScroll(page);
    const box = (await tile(page, "long").boundingBox())!;
    expect(box.width).toBeLessThanOrEqual(viewport.width);
    await expect(tile(page, "rtl").locator("h2")).toHaveText("سعر الإغلاق اليومي للسهم");
  }
});

test("one point, and several at one time, are seen", async ({ page }) => {
  await open(page, address);
  const { width } = await canvas(page, "single").evaluate((element) => ({ width: (element as HTMLCanvasElement).width }));
  for (const id of ["single", "same"]) {
    const [dot] = (await spots(page, id, 1)) as [Spot];
    expectDot(dot, id);
    // A time alone has as much room before as behind it.
    expect(Math.abs((dot.left + dot.right) / 2 / width - 0.5), id).toBeLessThan(0.15);
  }
  // Three values at one time stand on top of each other.
  const [line] = (await spots(page, "equal", 1)) as [Spot];
  expect(line.right - line.left).toBeLessThanOrEqual(DOT_PX);
  expect(line.bottom - line.top).toBeGreaterThan(60);
  expect(line.pixels).toBeGreaterThan(100);
  expect(await twin(page, "equal")).toEqual(["3", "2", "1"].map((value) => ["1 Jan 2026", value]));
  expect(await twin(page, "same")).toEqual(["5.5", "5.5"].map((value) => ["1 Jan 2026", value]));
});

test("a value alone between gaps is a dot where it stands", async ({ page }) => {
  await open(page, address);
  const [one, four] = (await spots(page, "infinite", 2)) as [Spot, Spot];
  expectDot(one, "the first value");
  expectDot(four, "the last value");
  expect(four.bottom, "4 stands above 1").toBeLessThan(one.top);
});

test("of odd values bars and cells are left out, and the table has a word for each", async ({ page }) => {
  await open(page, address);
  for (const id of ["odd-bar", "odd-heat"]) await expect(tile(page, id), id).toHaveAttribute("data-state", "ready");
  const bars = await spots(page, "odd-bar", 2);
  const [one, four] = bars.map((bar) => bar.bottom - bar.top + 1) as [number, number];
  expect(four / one, "4 is four times as high as 1").toBeGreaterThan(3.7);
  expect(four / one).toBeLessThan(4.3);
  for (const colour of ["--heat-low", "--heat-high"]) {
    expect((await pixels(canvas(page, "odd-heat"), colour)).coloured, colour).toBeGreaterThan(300);
  }
  expect(await twin(page, "odd-bar")).toEqual(ODD_NAMES.map((name, index) => [name, ODD[index]]));
  expect(await twin(page, "odd-heat")).toEqual(ODD_NAMES.map((name, index) => [name, "all", ODD[index]]));
});

test("a histogram counts odd values in a row without bounds", async ({ page }) => {
  await open(page, address);
  await expect(tile(page, "odd-histogram")).toHaveAttribute("data-state", "ready");
  expect((await pixels(canvas(page, "odd-histogram"), "--series-1")).coloured).toBeGreaterThan(300);
  const rows = await twin(page, "odd-histogram");
  expect(rows.at(-1)).toEqual(["–", "–", "4"]);
  const within = (from: string, to: string) => [1, 1, 2, 9].filter((value) => number(from) <= value && value < number(to)).length;
  const bins = rows.slice(0, -1) as [string, string, string][];
  expect(bins.map(([, , count]) => Number(count))).toEqual(bins.map(([from, to]) => within(from, to)));
  expect(bins.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(4);
});

test("a figure is the last number there is, says when that was, and its line ends there", async ({ page }) => {
  await open(page, address);
  await expect(tile(page, "odd-kpi")).toHaveAttribute("data-state", "ready");
  await expect(page.getByTestId("kpi-odd-kpi")).toHaveText("10");
  await expect(tile(page, "odd-kpi").locator(".kpi-note")).toHaveText("▲ +25.00 %, 2 Jan 2026");
  // From the lower left to a quarter of the way, which is the second of five days.
  await expect(tile(page, "odd-kpi").locator(".spark path")).toHaveAttribute("d", "M2.0 38.0L61.0 2.0");
  await expect(tile(page, "null-kpi")).toHaveAttribute("data-state", "empty");
  await expect(tile(page, "null-kpi")).toContainText("There is no value in this range");
  await expect(page.getByTestId("kpi-null-kpi")).toHaveText("–");
  await expect(tile(page, "null-kpi").locator(".spark")).toHaveCount(0);
});

test("a pivot table writes odd values as they are, leaves null empty and has a dash for sums that are no number", async ({ page }) => {
  await open(page, address);
  await expect(tile(page, "odd-pivot")).toHaveAttribute("data-state", "ready");
  const { header, rows } = await table(page.getByTestId("table-odd-pivot"));
  expect(header).toEqual(["place", "a", "b", "c", "All"]);
  expect(rows).toEqual([
    ["here", "1", "not a number", "∞", "not a number"],
    ["there", "", "2", "−∞", "−∞"],
    ["All", "1", "not a number", "not a number", "not a number"],
  ]);
});

test("names of 400 letters and from right to left are whole in legend, table, cells and head", async ({ page }) => {
  await open(page, address);
  for (const id of ["names-legend", "names-axis", "names-cell", "names-head"]) {
    await expect(tile(page, id), id).toHaveAttribute("data-state", "ready");
  }
  const legend = tile(page, "names-legend").locator(".legend-item");
  await expect(legend.locator(".legend-name")).toHaveText(NAMES);
  const titles = await legend.evaluateAll((items) => items.map((item) => item.getAttribute("title")?.trim()));
  expect(titles).toEqual(NAMES);
  for (const [index, name] of NAMES.entries()) {
    const { coloured } = await pixels(canvas(page, "names-legend"), `--series-${index + 1}`);
    expect(coloured, `line of ${name.slice(0, 20)}`).toBeGreaterThan(100);
  }
  await spots(page, "names-axis", NAMES.length);
  expect(await twin(page, "names-axis")).toEqual(NAMES.map((name, index) => [name, String(index + 1)]));
  expect((await table(page.getByTestId("table-names-cell"))).rows).toEqual(NAMES.map((name, index) => [String(index + 1), name]));
  const { header, rows } = await table(page.getByTestId("table-names-head"));
  expect(header).toEqual(["place", ...NAMES, "All"]);
  expect(rows).toEqual([
    ["here", "1", "2", "3", "", "6"],
    [RIGHT_TO_LEFT, "", "", "", "4", "4"],
    ["All", "1", "2", "3", "4", "10"],
  ]);
});

test("a name from right to left begins at the right of its cell's words, Latin letters and all", async ({ page }) => {
  await open(page, address);
  const cells = page.getByTestId("table-names-cell").locator("tbody tr:not(.spacer) td");
  expect(await runsFromTheRight(cells.filter({ hasText: RIGHT_TO_LEFT }))).toBe(true);
  expect(await runsFromTheRight(cells.filter({ hasText: NAMES[1] }))).toBe(false);
  const heads = page.getByTestId("table-names-head").locator("tbody tr:not(.spacer) th");
  expect(await runsFromTheRight(heads.filter({ hasText: RIGHT_TO_LEFT }))).toBe(true);
});

for (const [name, viewport] of Object.entries(VIEWPORTS)) {
  test(`nothing lies outside its tile on a ${name} page, and long names scroll inside`, async ({ page }) => {
    test.slow();
    await page.setViewportSize(viewport);
    await open(page, address);
    await expectNoSidewaysScroll(page);
    const tiles = await page.locator("[data-testid^=tile-]").all();
    expect(tiles.length).toBeGreaterThan(20);
    for (const shown of tiles) expect(await strays(shown), (await shown.getAttribute("data-testid")) ?? "").toEqual([]);
    for (const id of ["names-cell", "names-head"]) {
      const room = await tile(page, id).locator(".table-box").evaluate((box) => ({ all: box.scrollWidth, shown: box.clientWidth }));
      expect(room.all, id).toBeGreaterThan(room.shown);
    }
    // With the tables of the charts as well.
    for (const id of ["names-axis", "names-legend", "long"]) {
      await twin(page, id);
      expect(await strays(tile(page, id)), `table of ${id}`).toEqual([]);
    }
    await expectNoSidewaysScroll(page);
  });
}
