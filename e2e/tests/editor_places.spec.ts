// The editor beyond single tiles: variables, tabs, sections, what a choice on a tile does; and the semantic layer, which tiles and
// statements have by name.
import { expect } from "@playwright/test";
import type { APIRequestContext, Page } from "@playwright/test";
import type { DemoServer } from "../server";
import { begin, ids, open, orders, put, ready, test } from "./editing";
import { settled, table } from "./support";

interface Definition {
  variables: { name: string; title?: string; kind: object; multiple?: boolean; default?: string[] }[];
  tabs?: { id: string; title: string }[];
  sections?: { id: string; title: string; tab?: string; folded?: boolean }[];
  folder?: string;
  tags?: string[];
  tiles: { id: string; tab?: string; section?: string; query?: { filters?: object[]; down?: unknown }; on_pick?: object }[];
}

async function publish(page: Page, title: string): Promise<void> {
  await page.getByTestId("dashboard-title").fill(title);
  await page.getByTestId("publish").click();
  await expect(page.getByTestId("publish-state")).toHaveText("Published.");
}

async function stored(request: APIRequestContext, lake: DemoServer, name: string): Promise<Definition> {
  return (await (await request.get(`${lake.url}/api/v1/dashboards/${name}`)).json()) as Definition;
}

/** The rows of a chart's table twin on a page or in the editor. */
async function rows(page: Page, id: string): Promise<string[][]> {
  const shown = page.getByTestId(`table-${id}`);
  if (!(await shown.isVisible())) await page.getByTestId(`chart-${id}-toggle`).click();
  return (await table(shown)).rows;
}

test("a variable is made in the editor, narrows a question there and on the page, and is renamed with what names it", async ({ page, request, lake }) => {
  await begin(page, request, lake, "chosen");
  await page.getByTestId("over").selectOption({ label: "No time" });
  await page.getByTestId("by-0").selectOption("region");
  await page.getByTestId("settings").click();
  await expect(page.locator("#editor-panel-title")).toBeFocused();
  await page.getByTestId("add-variable").click();
  await page.getByTestId("variable-0-name").fill("From");
  await page.getByTestId("variable-0-name").blur();
  await expect(page.getByTestId("editor-panel")).toContainText("starts with a letter");
  await page.getByTestId("variable-0-name").fill("region");
  await page.getByTestId("variable-0-name").blur();
  await page.getByTestId("variable-0-title").fill("Region");
  await expect(page.getByTestId("editor-panel")).toContainText("has no value to choose");
  await page.getByTestId("variable-0-options").fill("North\nSouth\n");
  await expect(page.getByTestId("editor-panel")).not.toContainText("has no value to choose");
  const control = page.getByTestId("variables").locator("#variable-region");
  await expect(control).toHaveValue("North");

  await page.getByTestId("open-tile").click();
  await page.getByTestId("add-filter").click();
  await page.getByTestId("filter-0-field").selectOption("region");
  await page.getByTestId("filter-0-test").selectOption("variable-is");
  await expect(page.getByTestId("filter-0-variable")).toHaveValue("region");
  await ready(page, "tile");
  await expect.poll(async () => (await rows(page, "tile")).map((row) => row[0])).toEqual(["North"]);
  await control.selectOption("South");
  await expect.poll(async () => (await rows(page, "tile")).map((row) => row[0])).toEqual(["South"]);

  // A name that statements have follows, as one step.
  await page.getByTestId("settings").click();
  await page.getByTestId("variable-0-name").fill("area");
  await page.getByTestId("variable-0-name").press("Enter");
  await expect(page.getByTestId("editor-said")).toContainText("Renamed the variable 'region' to 'area'");
  await page.getByTestId("folder").fill("sales/regions");
  await page.getByTestId("tags").fill("orders, regions");
  await ready(page, "tile");
  await publish(page, "Chosen");
  const definition = await stored(request, lake, "chosen");
  expect(definition.variables).toEqual([{ name: "area", title: "Region", kind: { choice: { options: ["North", "South"] } } }]);
  expect(definition.tiles[0]!.query!.filters).toEqual([{ field: "region", is: { variable: { name: "area", how: "is" } } }]);
  expect([definition.folder, definition.tags]).toEqual(["sales/regions", ["orders", "regions"]]);

  await open(page, "/dashboards/chosen?var.area=South");
  expect((await rows(page, "tile")).map((row) => row[0])).toEqual(["South"]);
  await page.locator("#variable-area").selectOption("North");
  await expect.poll(async () => (await rows(page, "tile")).map((row) => row[0])).toEqual(["North"]);
});

test("a variable of each kind is defined, and what is wrong with one is said below it", async ({ page, request, lake }) => {
  await begin(page, request, lake, "kinds");
  await page.getByTestId("settings").click();
  for (let index = 0; index < 4; index += 1) await page.getByTestId("add-variable").click();
  const kinds = ["query", "number", "time", "text"];
  for (const [index, kind] of kinds.entries()) await page.getByTestId(`variable-${index}-kind`).selectOption(kind);
  await page.getByTestId("variable-0-sql").fill("SELECT DISTINCT region FROM kinds ORDER BY 1");
  await page.getByTestId("variable-0-multiple").check();
  await expect(page.getByTestId("variables").getByText("all", { exact: true })).toBeVisible();
  await page.getByTestId("variable-1-min").fill("5");
  await page.getByTestId("variable-1-max").fill("1");
  await page.getByTestId("variable-1-max").blur();
  await expect(page.getByTestId("editor-panel")).toContainText("more than max");
  await page.getByTestId("variable-1-max").fill("9");
  await page.getByTestId("variable-1-default").fill("7");
  await expect(page.getByTestId("editor-panel")).not.toContainText("more than max");
  await page.getByTestId("variable-3-remove").click();
  await publish(page, "Kinds");
  const { variables } = await stored(request, lake, "kinds");
  expect(variables).toEqual([
    { name: "choice", kind: { query: { sql: "SELECT DISTINCT region FROM kinds ORDER BY 1" } }, multiple: true },
    { name: "choice_2", kind: { number: { min: 5, max: 9 } }, default: ["7"] },
    { name: "choice_3", kind: "time" },
  ]);
});

test("tiles stand on tabs and in sections, by choice, by keyboard and by mouse", async ({ page, request, lake }) => {
  await begin(page, request, lake, "placed");
  await page.getByTestId("settings").click();
  await page.getByTestId("add-tab").click();
  await page.getByTestId("add-tab").click();
  await page.getByTestId("tab-tab-1-title").fill("Overview");
  await page.getByTestId("add-section").click();
  await page.getByTestId("section-section-1-title").fill("Details");
  await page.getByTestId("section-section-1-folded").check();
  await expect(page.getByTestId("editor-tabs").getByRole("button")).toHaveText(["Overview", "Tab 2"]);
  await expect(page.getByRole("heading", { name: "Details folded at first" })).toBeVisible();

  // By choice to the second tab, which is not shown; back by undo.
  await page.getByTestId("open-tile").click();
  await page.getByTestId("tile-place").selectOption({ label: "On the tab Tab 2" });
  await expect(page.getByTestId("editor-said")).toContainText("to the tab 'Tab 2'");
  await expect(page.getByTestId("edit-tile")).toBeHidden();
  await page.getByTestId("tab-tab-2").click();
  await ready(page, "tile");
  await page.getByTestId("tab-tab-1").click();
  await page.getByTestId("undo").click();
  await ready(page, "tile");

  // By keyboard into what is empty: the tab, then the section.
  await page.getByTestId("handle-tile").press("ArrowRight");
  await expect(page.getByTestId("editor-said")).toContainText("to the tab 'Overview'");
  await expect(page.getByTestId("handle-tile")).toBeFocused();
  await page.getByTestId("handle-tile").press("ArrowRight");
  await expect(page.getByTestId("editor-said")).toContainText("to the section 'Details'");
  await ready(page, "tile");

  // By mouse out of it again.
  const handle = page.getByTestId("handle-tile");
  await handle.scrollIntoViewIfNeeded();
  const [from, to] = [await handle.boundingBox(), await page.getByTestId("empty-place:tab:tab-1").boundingBox()];
  await page.mouse.move(from!.x + 5, from!.y + 5);
  await page.mouse.down();
  await page.mouse.move(to!.x + 40, to!.y + 30, { steps: 8 });
  await expect(page.getByTestId("empty-place:tab:tab-1")).toHaveAttribute("data-target", "true");
  await page.mouse.up();
  await expect(page.getByTestId("editor-said")).toContainText("to the tab 'Overview'");

  // What is added in a section stands there; a tile takes the place of one elsewhere.
  await page.getByTestId("add-place:section:section-1").click();
  await page.getByTestId("dataset").selectOption("placed");
  await ready(page, "tile-2");
  await page.getByTestId("handle-tile-2").press("ArrowUp");
  expect(await ids(page)).toEqual(["place:", "tile-2", "tile", "place:section:section-1"]);
  await publish(page, "Placed");
  const definition = await stored(request, lake, "placed");
  expect(definition.tabs).toEqual([{ id: "tab-1", title: "Overview" }, { id: "tab-2", title: "Tab 2" }]);
  expect(definition.sections).toEqual([{ id: "section-1", title: "Details", tab: "tab-1", folded: true }]);
  expect(definition.tiles.map((tile) => [tile.id, tile.tab])).toEqual([["tile-2", "tab-1"], ["tile", "tab-1"]]);

  // A tab that goes leaves what stood on it.
  await page.getByTestId("settings").click();
  await page.getByTestId("tab-tab-1-remove").click();
  await expect(page.getByTestId("edit-tile")).toBeVisible();
  await expect(page.getByTestId("editor-tabs").getByRole("button")).toHaveText(["Tab 2"]);
  expect((await ids(page)).slice(0, 2)).toEqual(["tile-2", "tile"]);
});

const meaning = {
  dataset: "sold",
  measures: [{ name: "per_unit", title: "Amount per unit", formula: "sum(amount) / nullif(sum(units), 0)", unit: "EUR", format: { fixed: 2 } }],
  dimensions: [{ name: "region", title: "Sales region" }],
  hierarchies: [{ name: "place", title: "Place", levels: ["region", "units"] }],
};

test("a choice on a tile leads down a hierarchy to the facts and their versions, or filters the page", async ({ page, request, lake }) => {
  await orders(request, lake, "sold");
  await put(request, `${lake.url}/api/v1/datasets/sold/semantics`, meaning);
  await begin(page, request, lake, "sold");
  await page.getByTestId("measure-0-field").selectOption({ label: "Amount per unit (EUR)" });
  await page.getByTestId("over").selectOption({ label: "No time" });
  await page.getByTestId("facts").selectOption({ label: "Those that begin in the range" });
  await page.getByTestId("by-0").selectOption({ label: "Sales region" });
  await page.getByTestId("on-pick").selectOption({ label: "Goes down by Place" });
  await ready(page, "tile");
  await page.getByTestId("duplicate-tile").click();
  await page.getByTestId("on-pick").selectOption({ label: "Filters the page by Sales region" });
  await publish(page, "Sold");
  const { tiles } = await stored(request, lake, "sold");
  expect(tiles[0]!.query!.down).toEqual({ hierarchy: "place" });
  expect([tiles[1]!.query!.down, tiles[1]!.on_pick]).toEqual([undefined, { filter: { column: "region" } }]);

  await open(page, "/dashboards/sold");
  const chart = page.getByTestId("chart-tile");
  const choose = async () => {
    await chart.focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
  };
  await choose();
  const way = page.getByTestId("way-tile");
  await expect(way).toContainText(/All(North|South)/);
  const region = (await way.locator("[aria-current]").textContent())!;
  await settled(page);
  await choose();
  await expect(way.locator("li")).toHaveCount(3);
  await settled(page);
  const facts = await table(page.getByTestId("table-tile"));
  expect(facts.rows.length).toBeGreaterThan(0);
  expect(new Set(facts.rows.map((row) => row[0]))).toEqual(new Set([region]));
  await page.getByTestId("table-tile").locator("tbody tr:not(.spacer)").first().click();
  await expect(page).toHaveURL(/versions=sold:/);
  await page.keyboard.press("Escape");

  // The other one narrows the page down.
  await page.goto("/dashboards/sold");
  await settled(page);
  await page.getByTestId(`chart-${tiles[1]!.id}`).focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/only=region:/);
});

test("measures are defined in a form, with every mistake at its place, and each version opens and is stored again", async ({ page, request, lake }) => {
  await orders(request, lake, "meant");
  await open(page, "/explore?dataset=meant");
  await page.getByTestId("explore-meaning").click();
  await expect(page).toHaveURL(/\/semantics\?dataset=meant/);
  await expect(page.getByTestId("semantics-state")).toHaveText("Nothing is stored yet.");
  await page.getByTestId("add-measure").click();
  await page.getByTestId("measure-0-name").fill("per_unit");
  await page.getByTestId("measure-0-title").fill("Per unit");
  await page.getByTestId("measure-0-formula").fill("sum(amuont) / nullif(sum(units), 0)");
  await page.getByTestId("measure-0-format").selectOption({ label: "Two decimals" });
  await page.getByTestId("dimension-region-title").fill("Sales region");
  await page.getByTestId("add-hierarchy").click();
  await page.getByTestId("hierarchy-0-name").fill("place");
  await page.getByTestId("hierarchy-0-level-0").selectOption("region");
  await page.getByTestId("hierarchy-0-level-1").selectOption("units");
  await page.getByTestId("author").fill("Ann");
  await page.getByTestId("semantics-store").click();
  await expect(page.getByTestId("semantics-state")).toContainText("It could not be stored");
  await expect(page.locator("#measure-0-problem")).toContainText("amuont");

  // Nothing typed is lost, whatever happens to the page.
  await open(page, "/semantics?dataset=meant");
  await expect(page.getByTestId("semantics-notice")).toContainText("not stored yet");
  await expect(page.getByTestId("measure-0-formula")).toHaveValue("sum(amuont) / nullif(sum(units), 0)");
  await page.getByTestId("measure-0-formula").fill("sum(amount) / nullif(sum(units), 0)");
  await page.getByTestId("semantics-note").fill("first");
  await page.getByTestId("semantics-store").click();
  await expect(page.getByTestId("semantics-state")).toHaveText("Stored.");
  const versions = page.getByTestId("semantics-version-list").locator("tbody tr");
  await expect(versions).toHaveCount(1);
  await expect(versions.first()).toContainText("Ann");
  await expect(versions.first()).toContainText("first");
  const read = async () => (await (await request.get(`${lake.url}/api/v1/datasets/meant/semantics`)).json()) as { measures: { title: string }[]; dimensions: object[]; hierarchies: object[] };
  expect(await read()).toMatchObject({
    dimensions: [{ name: "region", title: "Sales region" }],
    hierarchies: [{ name: "place", levels: ["region", "units"] }],
  });
  const answer = await request.post(`${lake.url}/api/v1/sql`, { data: { sql: "SELECT MEASURE(per_unit) FROM meant" }, headers: { accept: "application/json" } });
  expect(answer.ok(), await answer.text()).toBe(true);

  // Somebody else is quicker: their definition is not lost, nor mine.
  await page.getByTestId("measure-0-title").fill("Amount per unit");
  const theirs = { dataset: "meant", measures: [{ name: "per_unit", title: "Theirs", formula: "sum(amount)" }] };
  await put(request, `${lake.url}/api/v1/datasets/meant/semantics?author=Ben`, theirs);
  await page.getByTestId("semantics-store").click();
  await expect(page.getByTestId("semantics-state")).toContainText("Somebody else has stored");
  await page.getByTestId("semantics-over").click();
  await expect(page.getByTestId("semantics-state")).toHaveText("Stored.");
  await expect(versions).toHaveCount(3);
  expect((await read()).measures[0]!.title).toBe("Amount per unit");

  // What was kept over a version that is not the last any more is not stored over it unseen.
  await page.getByTestId("measure-0-title").fill("Kept here");
  await put(request, `${lake.url}/api/v1/datasets/meant/semantics?author=Ben`, theirs);
  await open(page, "/semantics?dataset=meant");
  await expect(page.getByTestId("measure-0-title")).toHaveValue("Kept here");
  await page.getByTestId("semantics-store").click();
  await expect(page.getByTestId("semantics-state")).toContainText("Somebody else has stored");
  await page.getByTestId("semantics-theirs").click();
  await expect(page.getByTestId("measure-0-title")).toHaveValue("Theirs");
  await expect(page.getByTestId("semantics-state")).toHaveText("Stored.");
  await expect(page.getByTestId("semantics-notice")).toBeHidden();
  await page.getByTestId("measure-0-title").fill("Amount per unit");
  await page.getByTestId("semantics-store").click();
  await expect(versions).toHaveCount(5);

  // The version between is opened from its link and stored again.
  await page.getByTestId("measure-0-title").fill("Not stored");
  await versions.nth(1).getByRole("link").click();
  await expect(page.getByTestId("semantics-notice")).toContainText("as it was saved on");
  await expect(page.getByTestId("measure-0-title")).toHaveValue("Theirs");
  await page.getByTestId("semantics-store").click();
  await expect(page.getByTestId("semantics-state")).toHaveText("Stored.");
  await expect(versions).toHaveCount(6);
  expect((await read()).measures[0]!.title).toBe("Theirs");
  await expect(page.getByTestId("measure-0-title"), "what was typed before is still there").toHaveValue("Not stored");
  await page.getByTestId("semantics-return").click();
  await expect(page.getByTestId("measure-0-title")).toHaveValue("Theirs");
  await page.getByTestId("semantics-delete").click();
  await expect(page.getByTestId("semantics-state")).toContainText("Deleted");
  expect((await request.get(`${lake.url}/api/v1/datasets/meant/semantics`)).status()).toBe(404);
  await expect(versions.first()).toContainText("deleted");
});

test("a defined measure is offered where a statement is typed", async ({ page, request, lake }) => {
  await orders(request, lake, "written");
  await put(request, `${lake.url}/api/v1/datasets/written/semantics`, { ...meaning, dataset: "written" });
  await begin(page, request, lake, "written");
  await page.getByTestId("use-sql").click();
  const sql = page.getByTestId("sql");
  await sql.fill("SELECT region,  FROM written GROUP BY region");
  await sql.evaluate((field: HTMLTextAreaElement) => field.setSelectionRange(15, 15));
  await page.keyboard.type("per_");
  await expect(page.getByTestId("completions")).toContainText("measure: Amount per unit");
  await page.keyboard.press("Enter");
  await expect(sql).toHaveValue("SELECT region, MEASURE(per_unit) FROM written GROUP BY region");
  await ready(page, "tile");
});
