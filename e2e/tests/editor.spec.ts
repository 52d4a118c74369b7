// The editor: a dashboard built from nothing over real data, once by mouse and once by keyboard alone, published, exported,
// wiped and imported; and everything that can go wrong while somebody edits, with nothing typed lost.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "@playwright/test";
import type { APIRequestContext, Page } from "@playwright/test";
import { binary, startEmpty } from "../server";
import type { DemoServer } from "../server";
import { begin, ids, open, orders, put, ready, test } from "./editing";
import { settled, table } from "./support";

/** TIDEMARK_SHARED_DATA: where the real figures are; figures of the same shape are made where there are none. */
const shared = process.env.TIDEMARK_SHARED_DATA ?? join(fileURLToPath(import.meta.url), "../../../../shared/data");
const real = join(shared, "gdp.ndjson.gz");
const GDP = existsSync(real) ? real : madeFigures();
/** From an empty lake to a published dashboard of four tiles. */
const ACTIONS_MOST = 40;

const definition = {
  columns: [
    { name: "country", type: "string", path: "key" },
    { name: "value", type: "float64" },
    { name: "valid_from", type: "date" },
    { name: "valid_to", type: "date" },
    { name: "op", type: "string" },
    { name: "known", type: "timestamp", path: "system_time" },
  ],
  key: ["country"],
  valid_from: "valid_from",
  valid_to: "valid_to",
  mode: "interval",
  operation: { column: "op", put: "assert", delete: "retract" },
  system_time: "known",
};

/** Twenty countries over forty years, each figure known in three vintages, the later two of which revise some. */
function madeFigures(): string {
  const lines: string[] = [];
  for (const [vintage, known] of ["2012-09-20", "2014-02-11", "2016-07-05"].entries()) {
    for (let country = 0; country < 20; country += 1) {
      for (let year = 1975; year < 2015; year += 1) {
        if (vintage > 0 && (country + year + vintage) % 7 > 1) continue;
        const key = `C${String(country).padStart(2, "0")}`;
        const value = (1e9 * (country + 1) * 1.03 ** (year - 1975) * (1 + vintage / 50)).toFixed(4);
        lines.push(
          JSON.stringify({ system_time: `${known}T08:00:00Z`, op: "assert", key, valid_from: `${year}-01-01`, valid_to: `${year + 1}-01-01`, value }),
        );
      }
    }
  }
  const file = join(mkdtempSync(join(tmpdir(), "tidemark-gdp-")), "gdp.ndjson");
  writeFileSync(file, lines.join("\n"));
  return file;
}

/** The real figures, imported once. */
async function gdp(request: APIRequestContext, lake: DemoServer): Promise<void> {
  if ((await request.get(`${lake.url}/api/v1/datasets/gdp`)).ok()) return;
  await put(request, `${lake.url}/api/v1/datasets/gdp`, definition);
  execFileSync(binary, ["ingest", "gdp", GDP, "--seal", "--url", lake.url]);
}

/** What somebody does, counted: each click, choice, drag and text is one. */
class Hand {
  actions = 0;
  constructor(
    readonly page: Page,
    readonly keys: boolean,
  ) {}

  /** By keyboard: Tab until it has the focus. */
  private async reach(testid: string): Promise<void> {
    const has = () => this.page.evaluate((id) => document.activeElement?.getAttribute("data-testid") === id, testid);
    for (let step = 0; step < 400; step += 1) {
      if (await has()) return;
      await this.page.keyboard.press("Tab");
    }
    throw new Error(`${testid} cannot be reached by Tab`);
  }

  async press(testid: string): Promise<void> {
    this.actions += 1;
    if (!this.keys) return this.page.getByTestId(testid).click();
    await this.reach(testid);
    await this.page.keyboard.press(testid === "top" || testid === "top-others" ? "Space" : "Enter");
  }

  /** Chooses of a list by the word that is shown. */
  async choose(testid: string, word: string): Promise<void> {
    this.actions += 1;
    const list = this.page.getByTestId(testid);
    if (!this.keys) return void (await list.selectOption({ label: word }));
    await this.reach(testid);
    await this.page.keyboard.type(word);
    await expect(list.locator("option:checked")).toHaveText(word);
  }

  async type(testid: string, text: string): Promise<void> {
    this.actions += 1;
    if (!this.keys) return this.page.getByTestId(testid).fill(text);
    await this.reach(testid);
    await this.page.keyboard.type(text);
  }

  /** Moves a tile one place back and makes it wider. */
  async moveAndWiden(id: string): Promise<void> {
    this.actions += 2;
    if (this.keys) {
      await this.reach(`handle-${id}`);
      await this.page.keyboard.press("ArrowLeft");
      await expect(this.page.getByTestId("editor-said")).toContainText("Moved");
      await expect(this.page.getByTestId(`handle-${id}`)).toBeFocused();
      for (let step = 0; step < 6; step += 1) await this.page.keyboard.press("Shift+ArrowRight");
      await expect(this.page.getByTestId("editor-said")).toContainText("12 of 12 columns");
      return;
    }
    const before = (await ids(this.page))[(await ids(this.page)).indexOf(id) - 1]!;
    const handle = this.page.getByTestId(`handle-${id}`);
    await handle.scrollIntoViewIfNeeded();
    const [from, to] = [await handle.boundingBox(), await this.page.getByTestId(`edit-${before}`).boundingBox()];
    await this.page.mouse.move(from!.x + 5, from!.y + 5);
    await this.page.mouse.down();
    await this.page.mouse.move(to!.x + 30, to!.y + 60, { steps: 8 });
    await this.page.mouse.up();
    await expect(this.page.getByTestId("editor-said")).toContainText("Moved");
    const corner = this.page.getByTestId(`corner-${id}`);
    await corner.scrollIntoViewIfNeeded();
    const at = await corner.boundingBox();
    await this.page.mouse.move(at!.x + 6, at!.y + 6);
    await this.page.mouse.down();
    await this.page.mouse.move(at!.x + 900, at!.y + 6, { steps: 8 });
    await this.page.mouse.up();
  }
}

/** Four tiles over the figures: their mean, the largest by year, the largest now, and what was revised when. */
async function build(hand: Hand, name: string): Promise<void> {
  const { page } = hand;
  hand.actions += 1;
  await open(page, "/dashboards/new");
  await hand.type("dashboard-title", name);
  await hand.press("add-tile");
  await hand.choose("dataset", "gdp");
  await ready(page, "tile");

  await hand.press("add-tile");
  await hand.choose("dataset", "gdp");
  await hand.choose("by-0", "country");
  await hand.press("top");
  await ready(page, "tile-2");

  await hand.press("add-tile");
  await hand.choose("dataset", "gdp");
  await hand.choose("over", "No time");
  await hand.choose("by-0", "country");
  await hand.press("top");
  await ready(page, "tile-3");

  await hand.press("add-tile");
  await hand.choose("dataset", "gdp");
  await hand.choose("over", "When facts became known");
  await hand.choose("measure-0-field", "Facts");
  await ready(page, "tile-4");

  await hand.moveAndWiden("tile-4");
  await hand.press("publish");
  await expect(page.getByTestId("publish-state")).toHaveText("Published.");
}

/** What each tile of a published dashboard tells: the rows of its table. */
async function told(page: Page, path: string): Promise<Record<string, string[][]>> {
  await open(page, path);
  const all: Record<string, string[][]> = {};
  for (const id of ["tile", "tile-2", "tile-3", "tile-4"]) {
    await expect(page.getByTestId(`tile-${id}`)).toHaveAttribute("data-state", "ready");
    await page.getByTestId(`chart-${id}-toggle`).click();
    all[id] = (await table(page.getByTestId(`table-${id}`))).rows;
    expect(all[id]!.length, id).toBeGreaterThan(0);
  }
  return all;
}

for (const keys of [false, true]) {
  const way = keys ? "keyboard alone" : "mouse";
  test(`a dashboard of four tiles is built from nothing by ${way}, published, wiped and imported`, async ({ page, request, lake, browser }) => {
    test.setTimeout(240_000);
    await gdp(request, lake);
    const hand = new Hand(page, keys);
    const name = keys ? "by-keyboard" : "by-mouse";
    await build(hand, keys ? "By keyboard" : "By mouse");
    expect(hand.actions).toBeLessThanOrEqual(ACTIONS_MOST);
    console.log(`${way}: ${hand.actions} actions`);
    await expect(page).toHaveURL(`${lake.url}/dashboards/${name}/edit`);

    const published = (await (await request.get(`${lake.url}/api/v1/dashboards/${name}`)).json()) as { tiles: { id: string; width: number; query?: object }[] };
    expect(published.tiles.map((tile) => tile.id)).toEqual(["tile", "tile-2", "tile-4", "tile-3"]);
    expect(published.tiles[2]!.width).toBe(12);
    expect(published.tiles.every((tile) => tile.query)).toBe(true);

    // The means are those of plain SQL.
    const before = await told(page, `/dashboards/${name}`);
    const sql = "SELECT CAST(avg(CAST(value AS DOUBLE)) AS BIGINT) AS mean FROM gdp WHERE valid_from = '2000-01-01'";
    const [{ mean }] = (await (await request.post(`${lake.url}/api/v1/sql`, { data: { sql }, headers: { accept: "application/json" } })).json()) as [{ mean: number }];
    const shown = before["tile"]!.find((row) => row[0]!.includes("2000"))![1]!;
    expect(Math.abs(Number(shown.replace(/,/g, "")) / mean - 1)).toBeLessThan(1e-9);

    // Exported, wiped, imported: another lake shows the same.
    const folder = mkdtempSync(join(tmpdir(), "tidemark-export-"));
    const other = await startEmpty();
    try {
      execFileSync(binary, ["dashboards", "export", folder, "--url", lake.url]);
      await put(request, `${other.url}/api/v1/datasets/gdp`, definition);
      execFileSync(binary, ["ingest", "gdp", GDP, "--seal", "--url", other.url]);
      execFileSync(binary, ["dashboards", "apply", folder, "--url", other.url]);
      const elsewhere = await browser.newPage({ baseURL: other.url });
      expect(await told(elsewhere, `/dashboards/${name}`)).toEqual(before);
      await elsewhere.close();
    } finally {
      await other.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test("a field that goes while it is typed into takes nothing down with it", async ({ page, request, lake }) => {
  const mistakes: Error[] = [];
  page.on("pageerror", (error) => mistakes.push(error));
  await begin(page, request, lake, "leaving");
  await page.getByTestId("use-sql").click();
  const sql = page.getByTestId("sql");
  await sql.focus();
  await page.keyboard.press("End");
  await page.keyboard.type(" ");
  await page.getByTestId("add-tile").click();
  await page.getByTestId("edit-tile").locator("h2").click();
  await expect(sql).toBeVisible();
  await page.getByTestId("tile-effective").fill("2026-01-01 – 2026-02-01");
  await page.getByTestId("edit-tile-2").locator("h2").click();
  await expect(page.getByTestId("dataset")).toBeVisible();
  await page.keyboard.press("Control+z");
  await expect(page.getByTestId("editor-said")).toContainText("Undone");
  expect(mistakes).toEqual([]);
});

test("a formula that is wrong says where, keeps the picture, and loses nothing", async ({ page, request, lake }) => {
  await begin(page, request, lake, "formulas");
  await page.getByTestId("add-calculated").click();
  await page.getByTestId("calculated-0-name").fill("double");
  const formula = page.getByTestId("calculated-0-formula");
  await formula.pressSequentially("amount * (units + ");
  const tile = page.getByTestId("edit-tile");
  await expect(tile).toHaveAttribute("data-state", "error");
  await expect(tile.locator(".tile-error")).toContainText("the formula ends too early");
  await expect(tile.locator(".tile-error")).toContainText("What is shown below is older");
  await expect(tile.getByTestId("chart-tile")).toBeVisible();
  await expect(formula).toHaveValue("amount * (units + ");
  await formula.fill("amuont * 2");
  await expect(page.getByTestId("editor-panel")).toContainText("did you mean 'amount'?");
  await formula.fill("amount * 2");
  await ready(page, "tile");
  await page.getByTestId("measure-0-field").selectOption("double");
  await ready(page, "tile");
  await expect(page.getByTestId("tile-title")).toHaveValue("Sum of double by day");

  // A division by zero is nothing, said in words.
  await formula.fill("amount / (units - units)");
  await expect(tile.locator(".tile-error")).toContainText("none of them has a value to draw");

  // A circle is told with its way.
  await page.getByTestId("add-calculated").click();
  await page.getByTestId("calculated-1-formula").fill("double + 1");
  await formula.fill("calculated * 2");
  await expect(tile.locator(".tile-error")).toContainText("double → calculated → double");
  await expect(formula).toHaveValue("calculated * 2");
});

test("a column that was renamed under a tile is offered to be mended", async ({ page, request, lake }) => {
  await begin(page, request, lake, "renamed");
  await page.getByTestId("dashboard-title").fill("Renamed");
  await page.getByTestId("publish").click();
  await expect(page.getByTestId("publish-state")).toHaveText("Published.");
  const changes = [{ rename: { from: "amount", to: "amount_eur" } }];
  const changed = await request.patch(`${lake.url}/api/v1/datasets/renamed`, { data: { changes } });
  expect(changed.ok(), await changed.text()).toBe(true);

  await open(page, "/dashboards/renamed");
  await expect(page.getByTestId("tile-tile")).toContainText("has no field 'amount'; did you mean 'amount_eur'?");
  await page.getByRole("link", { name: "Repair it in the editor" }).click();
  await expect(page.getByTestId("repair")).toContainText("'amount' is not there any more");
  await page.getByTestId("repair-0").click();
  await ready(page, "tile");
  await expect(page.getByTestId("repair")).toBeHidden();
  await page.getByTestId("publish").click();
  await expect(page.getByTestId("publish-state")).toHaveText("Published.");
  await open(page, "/dashboards/renamed");
  await expect(page.getByTestId("tile-tile")).toHaveAttribute("data-state", "ready");
});

test("what was typed survives a crash, and can be taken back step by step", async ({ page, request, lake }) => {
  await begin(page, request, lake, "drafts");
  await page.getByTestId("dashboard-title").fill("Half done");
  await page.getByTestId("tile-title").fill("My orders");
  await expect.poll(() => page.evaluate(() => localStorage.getItem("tidemark-draft:"))).toContain("My orders");
  await open(page, "/dashboards/new");
  await expect(page.getByTestId("draft-notice")).toContainText("which was not published");
  await expect(page.getByTestId("dashboard-title")).toHaveValue("Half done");
  await ready(page, "tile");
  await expect(page.getByTestId("edit-tile")).toContainText("My orders");

  await page.getByTestId("duplicate-tile").click();
  expect(await ids(page)).toEqual(["tile", "my-orders"]);
  await page.getByTestId("remove-tile").click();
  expect(await ids(page)).toEqual(["my-orders"]);
  await page.keyboard.press("Control+z");
  expect(await ids(page)).toEqual(["tile", "my-orders"]);
  await page.getByTestId("undo").click();
  expect(await ids(page)).toEqual(["tile"]);
  await page.getByTestId("redo").click();
  expect(await ids(page)).toEqual(["tile", "my-orders"]);

  await open(page, "/dashboards/new");
  await page.getByTestId("draft-discard").click();
  await expect(page.getByTestId("dashboard-title")).toHaveValue("");
});

test("two new dashboards in two tabs have drafts of their own", async ({ page, context }) => {
  await open(page, "/dashboards/new");
  await page.getByTestId("dashboard-title").fill("In the first tab");
  const other = await context.newPage();
  await open(other, "/dashboards/new");
  await expect(other.getByTestId("dashboard-title")).toHaveValue("");
  await other.getByTestId("dashboard-title").fill("In the second tab");
  await expect.poll(() => other.evaluate(() => localStorage.getItem("tidemark-draft:~2"))).toContain("In the second tab");
  await expect.poll(() => page.evaluate(() => localStorage.getItem("tidemark-draft:"))).toContain("In the first tab");
  await other.reload();
  await settled(other);
  await expect(other.getByTestId("dashboard-title")).toHaveValue("In the second tab");
  // What the first tab has kept is found once that is closed.
  await page.close();
  await open(other, "/dashboards/new");
  await expect(other.getByTestId("dashboard-title")).toHaveValue("In the first tab");
  await other.getByTestId("draft-discard").click();
  await other.evaluate(() => localStorage.clear());
  await other.close();
});

test("the second of two who publish sees the difference and merges", async ({ page, request, lake, browser }) => {
  await begin(page, request, lake, "both");
  await page.getByTestId("dashboard-title").fill("Both");
  await page.getByTestId("publish").click();
  await expect(page.getByTestId("publish-state")).toHaveText("Published.");

  const other = await browser.newPage({ baseURL: lake.url });
  await open(other, "/dashboards/both/edit");
  await other.getByTestId("dashboard-description").fill("Theirs");
  await other.getByTestId("dashboard-title").fill("Their title");
  await other.getByTestId("publish").click();
  await expect(other.getByTestId("publish-state")).toHaveText("Published.");
  await other.close();

  await page.getByTestId("dashboard-title").fill("My title");
  await page.getByTestId("open-tile").click();
  await page.getByTestId("tile-title").fill("My tile");
  await page.getByTestId("publish").click();
  const changes = page.getByTestId("conflict-changes");
  await expect(changes.locator("tr[data-conflict=true]")).toHaveCount(1);
  await expect(changes).toContainText("Their title");
  await changes.locator("tr[data-conflict=true]").getByRole("radio", { name: /theirs/ }).check();
  await page.getByTestId("conflict-merge").click();
  await expect(page.getByTestId("publish-state")).toHaveText("Published.");
  const stored = (await (await request.get(`${lake.url}/api/v1/dashboards/both`)).json()) as { title: string; description: string; tiles: { title: string }[] };
  expect([stored.title, stored.description, stored.tiles[0]!.title]).toEqual(["Their title", "Theirs", "My tile"]);
});

test("a statement is completed by keyboard and drawn as suits it", async ({ page, request, lake }) => {
  await begin(page, request, lake, "typed");
  await page.getByTestId("use-sql").click();
  const sql = page.getByTestId("sql");
  await expect(sql).toHaveValue(/FROM "typed" AS f/);
  await sql.fill("");
  await sql.pressSequentially("SELECT region, sum(amount) AS total FROM typ");
  await expect(page.getByTestId("completions")).toContainText("typed");
  await page.keyboard.press("Enter");
  await expect(sql).toHaveValue("SELECT region, sum(amount) AS total FROM typed");
  await sql.pressSequentially(" FOR ");
  await page.keyboard.press("Control+Space");
  await page.keyboard.press("Enter");
  await expect(sql).toHaveValue(/FOR VALID_TIME $/);
  await expect(page.getByTestId("completions")).toContainText("AS OF");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await sql.pressSequentially(" GROUP BY region");
  await page.keyboard.press("Escape");
  await ready(page, "tile");
  await expect(page.getByTestId("picture").locator("option").first()).toHaveText("Bars (suggested)");
  await page.getByTestId("picture").selectOption("Bars");
  await expect(page.getByTestId("chart-tile")).toBeVisible();
  await sql.pressSequentially(" nonsense");
  await expect(page.getByTestId("edit-tile")).toHaveAttribute("data-state", "error");
  await expect(page.getByTestId("chart-tile")).toBeVisible();
});

test("a dashboard that was deleted while it was edited can be published again", async ({ page, request, lake }) => {
  await begin(page, request, lake, "gone");
  await page.getByTestId("dashboard-title").fill("Gone");
  await page.getByTestId("publish").click();
  await expect(page.getByTestId("publish-state")).toHaveText("Published.");
  expect((await request.delete(`${lake.url}/api/v1/dashboards/gone`)).ok()).toBe(true);
  await page.getByTestId("dashboard-description").fill("Still here");
  await page.getByTestId("publish").click();
  await expect(page.getByTestId("conflict")).toContainText("was deleted");
  await page.getByTestId("conflict-overwrite").click();
  await expect(page.getByTestId("publish-state")).toHaveText("Published.");
  expect((await request.get(`${lake.url}/api/v1/dashboards/gone`)).ok()).toBe(true);
});

test("a dataset is explored, narrowed down by a click, and kept as a tile", async ({ page, request, lake }) => {
  await orders(request, lake, "explored");
  await open(page, "/explore?dataset=explored");
  await expect(page.getByTestId("explore-facts")).toHaveText("120");
  await expect(page.getByTestId("explore-keys")).toHaveText("2");
  for (const id of ["main", "column-0", "column-1", "column-2", "revisions", "facts"]) {
    await expect(page.getByTestId(`tile-${id}`), id).toHaveAttribute("data-state", "ready");
  }
  await page.getByTestId("explore-by").selectOption("region");
  await expect(page).toHaveURL(/by=region/);
  await page.getByTestId("chart-column-0").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/only=region:/);
  await page.getByTestId("keep-main").click();
  await page.getByTestId("keep-go").click();
  await settled(page);
  await expect(page).toHaveURL(/\/dashboards\/new$/);
  await ready(page, "mean-of-amount-by-region-and-day");
  await page.getByTestId("dashboard-title").fill("Kept");
  await page.getByTestId("publish").click();
  await expect(page.getByTestId("publish-state")).toHaveText("Published.");
});
