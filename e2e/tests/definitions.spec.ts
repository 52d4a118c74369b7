// Dashboards as definitions: variables, tabs, sections and words on a page; the list of all; versions, compared and restored.
import type { APIRequestContext } from "@playwright/test";
import { expect, expectNoSidewaysScroll, findings, open, settled, sql, test, THEMES, VIEWPORTS } from "./support";

const CHOICES = "/dashboards/choices";
const counted = (sectors: string[]): string =>
  `SELECT count(*) AS n FROM instruments FOR VALID_TIME AS OF now() WHERE sector IN (${sectors.map((name) => `'${name}'`).join(", ")})`;

const api = (path = ""): string => `${process.env.TIDEMARK_URL}/api/v1/dashboards${path}`;

/** Stores a dashboard of one tile; gives the moment of the version. */
async function store(request: APIRequestContext, name: string, title: string, author: string): Promise<string> {
  const tiles = [{ id: "one", title: "One", width: 12, sql: `SELECT '${title}' AS said`, picture: { grid: {} } }];
  const answer = await request.put(api(`/${name}?author=${author}&note=${encodeURIComponent(`made ${title}`)}`), {
    data: { name, title, folder: "tests/stored", tags: ["kept"], tiles },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
  return ((await answer.json()) as { system_time: string }).system_time;
}

async function remove(request: APIRequestContext, name: string): Promise<void> {
  await request.delete(api(`/${name}`));
}

test("variables narrow every tile that has them, stand in the address, and go back", async ({ page, request }) => {
  await open(page, CHOICES);
  const sectors = (await sql(request, "SELECT DISTINCT sector FROM instruments ORDER BY sector")).map((row) => String(row.sector));
  const kpi = page.getByTestId("kpi-members");
  const all = Number((await sql(request, counted(sectors)))[0]!.n);
  await expect(kpi).toHaveText(String(all));

  // By keyboard: open the list, take one value out.
  const list = page.locator("#variable-sector");
  await list.locator("summary").focus();
  await page.keyboard.press("Enter");
  await list.getByRole("checkbox", { name: sectors[0]!, exact: true }).focus();
  await page.keyboard.press("Space");
  await expect(page).toHaveURL(/var\.sector=/);
  const rest = Number((await sql(request, counted(sectors.slice(1))))[0]!.n);
  expect(rest).toBeLessThan(all);
  await expect(kpi).toHaveText(String(rest));
  await expect(list.getByRole("checkbox", { name: sectors[0]!, exact: true })).toBeFocused();

  await page.reload();
  await settled(page);
  await expect(kpi).toHaveText(String(rest));
  await expect(page.locator("#variable-sector summary")).toContainText(`of ${sectors.length}`);
  await page.goBack();
  await settled(page);
  await expect(kpi).toHaveText(String(all));

  // Nothing chosen asks nothing and says so.
  await page.goto(`${CHOICES}?var.sector=~`);
  await expect(page.getByTestId("tile-members")).toContainText("Choose a value of Sector first");
  await expect(page.getByTestId("tile-waiting")).toContainText("There is nothing to choose for Nothing");
});

test("a number and a text are bound as they are typed", async ({ page, request }) => {
  await open(page, `${CHOICES}?tab=rows`);
  await page.getByLabel("Name has").fill("'; DROP TABLE instruments --");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/var\.like=/);
  await expect(page.getByTestId("tile-rows")).toContainText("There is nothing to show");
  expect(Number((await sql(request, "SELECT count(*) AS n FROM instruments"))[0]!.n)).toBeGreaterThan(0);
  await page.goto(`${CHOICES}?var.least=none`);
  await settled(page);
  await page.getByRole("button", { name: "Later" }).click();
  await expect(page.getByTestId("tile-folded")).toContainText("Least volume is a number of at least 0");
});

test("tabs and sections show what they hold, and what is not shown asks nothing", async ({ page }) => {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(decodeURIComponent(request.url()) + (request.postData() ?? "")));
  await open(page, CHOICES);
  await expect(page.getByTestId("tile-words")).toBeVisible();
  await expect(page.getByTestId("tile-members")).toBeVisible();
  await expect(page.getByTestId("tile-folded")).toHaveCount(0);
  expect(asked.some((text) => text.includes("AS prices"))).toBe(false);
  const section = page.getByRole("button", { name: "Later" });
  await expect(section).toHaveAttribute("aria-expanded", "false");
  await section.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("table-folded")).toBeVisible();
  expect(asked.some((text) => text.includes("AS prices"))).toBe(true);

  await page.getByRole("button", { name: "Rows", exact: true }).click();
  await expect(page).toHaveURL(/tab=rows/);
  await expect(page.getByTestId("table-rows")).toBeVisible();
  await expect(page.getByTestId("tile-members")).toHaveCount(0);
  await expect(page.getByTestId("tile-words")).toBeVisible();
  await page.goBack();
  await expect(page.getByTestId("tile-members")).toBeVisible();
});

test("words are shown and nothing in them runs", async ({ page }) => {
  await open(page, CHOICES);
  const words = page.getByTestId("tile-words");
  await expect(words.locator("strong")).toHaveText("variable");
  await expect(words).toContainText("<script>");
  await expect(words.locator("script, img")).toHaveCount(0);
  await expect(words.getByRole("link")).toHaveCount(1);
  expect(await page.evaluate(() => "hostile" in window)).toBe(false);
  await words.getByRole("link", { name: "Market" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Market");
});

test("a dataset that is gone is named under its tile, with somewhere to go", async ({ page }) => {
  await open(page, `${CHOICES}?tab=rows`);
  const tile = page.getByTestId("tile-gone");
  await expect(tile).toContainText("there is no table 'pricez'");
  await expect(tile).toContainText("prices");
  await tile.getByRole("link", { name: "Versions of this dashboard" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Versions of Choices");
  await expect(page.getByText("is a file of the server")).toBeVisible();
});

test("each version opens from its link, two are compared, and one is restored", async ({ page, request }) => {
  const name = "e2e-versions";
  await remove(request, name);
  const first = await store(request, name, "First", "Ann");
  const second = await store(request, name, "Second", "Ben");
  await store(request, name, "Third", "Cleo");

  await open(page, `/dashboards/${name}?version=${first}`);
  await expect(page.getByTestId("table-one")).toContainText("First");
  const banner = page.getByTestId("version-banner");
  await expect(banner).toContainText("by Ann: made First");
  await banner.getByRole("button").click();
  await expect(page.getByTestId("table-one")).toContainText("Third");
  await expect(banner).toHaveCount(0);

  // The known time alone leaves the page what it is, and offers what it was.
  await open(page, `/dashboards/${name}?known=${second}`);
  await expect(page.getByTestId("table-one")).toContainText("Third");
  await expect(banner).toContainText("it was changed once since then");
  await page.getByTestId("choose-version").click();
  await expect(page).toHaveURL(/version=known/);
  await expect(page.getByTestId("table-one")).toContainText("Second");
  await expect(banner).toContainText("by Ben");

  await page.getByTestId("versions-link").click();
  const rows = page.getByTestId("versions").locator("tbody tr");
  await expect(rows).toHaveCount(3);
  await expect(rows.first()).toContainText("Cleo");
  await rows.nth(2).getByRole("radio", { name: /^Compare from/ }).check();
  await rows.nth(0).getByRole("radio", { name: /^Compare to/ }).check();
  const differences = page.getByTestId("differences").locator("tbody tr");
  await expect(differences).toHaveCount(2);
  await expect(differences.nth(0)).toContainText("tiles[one].sql");
  await expect(differences.nth(1)).toContainText("title");
  await page.reload();
  await expect(differences).toHaveCount(2);

  await rows.nth(1).getByRole("button", { name: /^Restore/ }).click();
  const dialog = page.getByTestId("doing");
  await dialog.getByTestId("author").fill("Dora");
  await dialog.getByTestId("note").fill("as it was");
  await dialog.getByRole("button", { name: "Restore" }).click();
  await expect(rows).toHaveCount(4);
  await expect(rows.first()).toContainText("Dora");
  await expect(rows.first()).toContainText("restored");
  await open(page, `/dashboards/${name}`);
  await expect(page.getByTestId("table-one")).toContainText("Second");

  // Deleted: gone from the list, kept in its versions.
  await open(page, `/dashboards/${name}/versions`);
  await page.getByTestId("delete-dashboard").click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(rows).toHaveCount(5);
  await page.goto(`/dashboards/${name}`);
  await expect(page.getByRole("alert")).toContainText("was deleted by Dora");
});

test("somebody who was quicker is told of in the dialog", async ({ page, request }) => {
  const name = "e2e-quicker";
  await remove(request, name);
  await store(request, name, "First", "Ann");
  await store(request, name, "Second", "Ann");
  await open(page, `/dashboards/${name}/versions`);
  await store(request, name, "Third", "Ben");
  await page.getByRole("button", { name: /^Restore/ }).click();
  await page.getByTestId("doing").getByRole("button", { name: "Restore" }).click();
  await expect(page.getByTestId("doing").getByRole("alert")).toContainText("was changed by Ben");
  await remove(request, name);
});

test("the list finds by words, keeps favourites and duplicates", async ({ page, request }) => {
  const name = "e2e-listed";
  await remove(request, name);
  await remove(request, `${name}-2`);
  await store(request, name, "Listed one", "Ann");
  await open(page, "/dashboards");
  const item = page.getByTestId(`dashboard-${name}`);
  await expect(item).toContainText("by Ann");
  await expect(page.getByRole("heading", { name: "tests/stored" })).toBeVisible();
  await page.getByTestId("search-dashboards").fill("KEPT listed");
  await expect(page.locator(".dashboard-item")).toHaveCount(1);
  await page.getByTestId("search-dashboards").fill("no such words");
  await expect(page.locator(".tile-empty")).toHaveText("No dashboard has these words.");
  await page.getByTestId("search-dashboards").fill("");

  await item.getByRole("button", { name: "Favourite: Listed one" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Favourites" })).toBeVisible();
  await expect(item.getByRole("button", { name: "Favourite: Listed one" })).toBeFocused();
  await page.reload();
  await settled(page);
  await expect(item.getByRole("button", { name: "Favourite: Listed one" })).toHaveAttribute("aria-pressed", "true");

  await item.getByRole("button", { name: "Duplicate Listed one" }).click();
  const dialog = page.getByTestId("duplicate");
  await dialog.getByLabel("Name in addresses").fill("market");
  await dialog.getByRole("button", { name: "Duplicate" }).click();
  await expect(dialog.getByRole("alert")).toContainText("there is a dashboard 'market' already");
  await dialog.getByLabel("Name in addresses").fill(`${name}-2`);
  await dialog.getByLabel("Title").fill("Listed two");
  await dialog.getByRole("button", { name: "Duplicate" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Listed two");
  await remove(request, name);
  await remove(request, `${name}-2`);
});

test.describe("accessible", () => {
  // axe sets style attributes while it measures, which our policy forbids to pages.
  test.use({ bypassCSP: true });

  for (const theme of THEMES) {
    for (const [size, viewport] of Object.entries(VIEWPORTS)) {
      test(`${theme}, ${size}: the list, versions, variables, tabs and words`, async ({ browser, request }) => {
        const name = `e2e-axe-${theme}-${size}`;
        const first = await store(request, name, "First", "Ann");
        const second = await store(request, name, "Second", "Ben");
        const context = await browser.newContext({ colorScheme: theme, viewport, bypassCSP: true, baseURL: process.env.TIDEMARK_URL! });
        const page = await context.newPage();
        const paths = ["/dashboards", CHOICES, `${CHOICES}?tab=rows`, `/dashboards/${name}?version=${first}`];
        for (const path of [...paths, `/dashboards/${name}/versions?a=${first}&b=${second}`]) {
          await open(page, path);
          if (path.includes("versions?")) await expect(page.getByTestId("differences")).toBeVisible();
          expect(await findings(page), path).toBe("");
          await expectNoSidewaysScroll(page);
        }
        await open(page, CHOICES);
        await page.locator("#variable-sector summary").click();
        expect(await findings(page), "an open list of values").toBe("");
        await expectNoSidewaysScroll(page);
        await open(page, `/dashboards/${name}/versions`);
        await page.getByTestId("delete-dashboard").click();
        expect(await findings(page), "the dialog").toBe("");
        await context.close();
        await remove(request, name);
      });
    }
  }
});
