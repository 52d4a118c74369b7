// Sharing: links to the moving and to the pinned dashboard, pages to read only, kiosks, thumbnails, and duplicates to edit.
import type { APIRequestContext, Page } from "@playwright/test";
import {
  committed, daysAgo, expect, expectNoSidewaysScroll, findings, open, PAGES, settled, test, THEMES, twin, VIEWPORTS,
} from "./support";

const api = (path = ""): string => `${process.env.TIDEMARK_URL}/api/v1/dashboards${path}`;
const parameters = (url: string): URLSearchParams => new URL(url).searchParams;

/** Every figure of the page, by tile. */
async function kpis(page: Page): Promise<Record<string, string>> {
  return page.locator("[data-testid^=kpi-]").evaluateAll((all) =>
    Object.fromEntries(all.map((one) => [one.getAttribute("data-testid") ?? "", (one as HTMLElement).innerText.trim()])),
  );
}

/** The figures and the rows of two charts, once they stand still. */
async function figures(page: Page): Promise<unknown> {
  await settled(page);
  let before = "";
  await expect
    .poll(async () => {
      const last = before;
      before = JSON.stringify(await kpis(page));
      return before === last;
    }, { intervals: [700] })
    .toBe(true);
  return { kpis: JSON.parse(before), weights: await twin(page, "weights"), sectors: await twin(page, "sectors") };
}

/** Opens the dialog and gives both links. */
async function links(page: Page): Promise<{ moving: string; pinned: string }> {
  await page.getByTestId("share-open").click();
  await expect(page.getByTestId("share-pinned-url")).toHaveValue(/version=/);
  return { moving: await page.getByTestId("share-moving-url").inputValue(), pinned: await page.getByTestId("share-pinned-url").inputValue() };
}

async function store(request: APIRequestContext, name: string, title: string): Promise<string> {
  const tiles = [{ id: "one", title: "One", width: 12, sql: `SELECT '${title}' AS said`, picture: { grid: {} } }];
  const answer = await request.put(api(`/${name}?author=Ann`), { data: { name, title, folder: "tests/shared", tiles } });
  expect(answer.ok(), await answer.text()).toBe(true);
  return ((await answer.json()) as { system_time: string }).system_time;
}

async function remove(request: APIRequestContext, name: string): Promise<void> {
  await request.delete(api(`/${name}`));
}

test("the pinned link shows the same figures after more was committed, the moving one stays as it is", async ({ page, request }) => {
  await open(page, `${PAGES.market}?last=1y&vs=prev&only=currency:EUR&own=traded(last:7d,known:-2d)`);
  await page.getByTestId("pause").click();
  const shown = await figures(page);
  const { moving, pinned } = await links(page);

  expect(parameters(moving).get("last")).toBe("1y");
  expect(parameters(moving).has("known")).toBe(false);
  expect(parameters(moving).has("version")).toBe(false);
  const said = parameters(pinned);
  expect(said.has("last")).toBe(false);
  expect(said.get("from")).toMatch(/^\d{4}-\d\d-\d\d$/);
  expect(said.get("to")).toMatch(/^\d{4}-\d\d-\d\d$/);
  expect(said.get("known")).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  expect(said.get("version")).toMatch(/Z$/);
  expect([said.get("only"), said.get("vs")]).toEqual(["currency:EUR", "prev"]);
  expect(said.get("own")).toMatch(/^traded\(from:[\d-]+,to:[\d-]+,known:[^)]+\)$/);
  await expect(page.getByTestId("share")).toContainText("Shows for ever what is shown now");

  const then = await committed(request);
  await expect.poll(() => committed(request), { timeout: 20_000 }).not.toBe(then);
  await open(page, pinned);
  await expect(page.getByTestId("known-banner")).toContainText("As known on");
  expect(await figures(page)).toEqual(shown);
  // Pinned again it is the same.
  const again = await links(page);
  expect([...parameters(again.pinned)].sort()).toEqual([...parameters(pinned)].sort());
});

test("a link is copied, opens in the mode that was chosen, and can be selected", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await open(page, `${PAGES.market}?last=1y`);
  await page.getByTestId("share-open").focus();
  await page.keyboard.press("Enter");
  const url = page.getByTestId("share-moving-url");
  await expect(url).toHaveValue(/last=1y$/);
  await page.getByTestId("share-moving-mode").selectOption("kiosk");
  await expect(url).toHaveValue(/mode=kiosk/);
  await expect(page.getByTestId("share-pinned-url")).not.toHaveValue(/mode=/);
  await page.getByTestId("share-moving-copy").click();
  await expect(page.getByTestId("share-told")).toHaveText("Link copied.");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(await url.inputValue());
  await expect(url).not.toBeEditable();
  await url.focus();
  expect(await page.evaluate(() => (document.activeElement as HTMLInputElement).selectionEnd)).toBe((await url.inputValue()).length);
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("share")).toBeHidden();
  await expect(page.getByTestId("share-open")).toBeFocused();
});

test("a kiosk has the page alone, says old knowledge, and is left by Escape and by pointer", async ({ page, request }) => {
  const address = `${PAGES.market}?known=-30d&mode=kiosk&only=currency:EUR`;
  const html = await (await request.get(address)).text();
  expect(html).toContain('data-mode="kiosk"');
  expect(html).not.toContain('class="side-nav"');

  await open(page, address);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Market");
  await expect(page.getByTestId("tile-prices")).toBeVisible();
  await expect(page.getByTestId("coordinate-known")).not.toHaveText("now");
  await expect(page.getByTestId("known-banner")).toContainText("As known on");
  await expect(page.getByTestId("narrowed")).toContainText("currency: EUR");
  await expect(page.getByRole("navigation")).toHaveCount(0);
  for (const id of ["palette-open", "display-open", "pause", "share-open", "edit-link", "return-to-now", "known-field"]) {
    await expect(page.getByTestId(id), id).toHaveCount(0);
  }
  await expect(page.locator(".tile-tools").first()).toBeHidden();
  await page.keyboard.press("Control+k");
  await expect(page.locator("dialog[open]")).toHaveCount(0);

  // The controls leave the view while nothing moves.
  const controls = page.getByTestId("kiosk-controls");
  await page.mouse.move(200, 200);
  await expect(controls).toHaveAttribute("data-rests", "false");
  await expect(controls).toHaveAttribute("data-rests", "true", { timeout: 10_000 });
  await expect(controls).toHaveCSS("opacity", "0");
  await page.mouse.move(300, 300);
  await expect(controls).toHaveCSS("opacity", "1");

  await page.keyboard.press("Escape");
  await expect(page).not.toHaveURL(/mode=/);
  await expect(page).toHaveURL(/known=-30d/);
  await expect(page.getByTestId("known-banner")).toBeVisible();
  await expect(page.getByTestId("palette-open")).toBeVisible();
  await expect(page.getByTestId("edit-link")).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("navigation")).toHaveCount(0);
  await page.getByTestId("kiosk-leave").click();
  await expect(page.getByRole("navigation").first()).toBeVisible();
  await expect(page.locator("main")).toBeFocused();
  // Outside of it Escape is the banner's again.
  await page.keyboard.press("Escape");
  await expect(page).not.toHaveURL(/known=/);
});

test("Escape closes what is open over a kiosk before it leaves it", async ({ page }) => {
  await open(page, `${PAGES.market}?mode=kiosk&versions=nowhere:a`);
  await expect(page.getByTestId("versions")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("versions")).toBeHidden();
  await expect(page).toHaveURL(/mode=kiosk/);
  await page.keyboard.press("Escape");
  await expect(page).not.toHaveURL(/mode=/);
});

test("a kiosk fills the screen", async ({ page }) => {
  await open(page, `${PAGES.market}?mode=kiosk`);
  const full = page.getByTestId("kiosk-full");
  await full.click();
  await expect(full).toHaveAttribute("aria-pressed", "true");
  await full.click();
  await expect(full).toHaveAttribute("aria-pressed", "false");
});

test("a page to read only has its times and no way to change it, which stays while times are chosen", async ({ page, request }) => {
  const name = "e2e-shared-copy";
  await remove(request, name);
  await open(page, `${PAGES.market}?mode=read`);
  await expect(page.getByTestId("versions-link")).toBeVisible();
  await expect(page.getByTestId("edit-link")).toHaveCount(0);
  await expect(page.getByTestId("duplicate-to-edit")).toHaveCount(0);
  const field = page.getByTestId("known-field");
  await field.fill(daysAgo(20));
  await field.press("Enter");
  await expect(page).toHaveURL(/known=/);
  await expect(page).toHaveURL(/mode=read/);
  await page.getByTestId("return-to-now").click();
  await expect(page).not.toHaveURL(/known=/);
  await expect(page).toHaveURL(/mode=read/);

  // Who wants to change it asks for a copy.
  await page.getByTestId("read-only").focus();
  await page.keyboard.press("Enter");
  await page.getByTestId("duplicate-to-edit").click();
  const dialog = page.getByTestId("duplicate");
  await dialog.getByLabel("Name in addresses").fill(name);
  await dialog.getByLabel("Title").fill("A copy of my own");
  await dialog.getByRole("button", { name: "Duplicate and edit" }).click();
  await expect(page).toHaveURL(new RegExp(`/dashboards/${name}/edit$`));
  await expect(page.getByTestId("dashboard-title")).toHaveValue("A copy of my own");
  await remove(request, name);
});

test("an earlier version is changed as a copy of that version", async ({ page, request }) => {
  const [name, copy] = ["e2e-shared-version", "e2e-shared-version-copy"];
  await remove(request, name);
  await remove(request, copy);
  const first = await store(request, name, "First");
  await store(request, name, "Second");
  await open(page, `/dashboards/${name}`);
  await expect(page.getByTestId("edit-link")).toBeVisible();
  await expect(page.getByTestId("duplicate-to-edit")).toHaveCount(0);
  await open(page, `/dashboards/${name}?version=${first}`);
  await expect(page.getByTestId("edit-link")).toHaveCount(0);
  await page.getByTestId("duplicate-to-edit").click();
  await page.getByTestId("duplicate").getByRole("button", { name: "Duplicate and edit" }).click();
  await expect(page).toHaveURL(new RegExp(`/dashboards/${copy}/edit$`));
  const stored = (await (await request.get(api(`/${copy}`))).json()) as { tiles: { sql: string }[] };
  expect(stored.tiles[0]!.sql).toContain("First");

  // The link to it is to that version, too.
  await open(page, `/dashboards/${name}?version=${first}`);
  const { pinned } = await links(page);
  await open(page, pinned);
  await expect(page.getByTestId("table-one")).toContainText("First");
  await remove(request, name);
  await remove(request, copy);
});

test("the list shows each dashboard in small, without moving anything", async ({ page }) => {
  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme });
    await page.goto("/dashboards");
    const item = page.getByTestId("dashboard-market");
    const before = await item.boundingBox();
    await settled(page);
    const image = item.locator(".thumbnail img");
    await image.scrollIntoViewIfNeeded();
    await expect(image).toHaveAttribute("alt", "");
    await expect(image).toHaveAttribute("src", new RegExp(`theme=${theme}`));
    await expect.poll(() => image.evaluate((one) => (one as HTMLImageElement).naturalWidth)).toBe(320);
    expect((await item.boundingBox())!.height).toBeCloseTo(before!.height, 0);
    // Lines and bars have hues; ground, frames and words have none to speak of.
    const coloured = await image.evaluate((one) => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [320, 200];
      const context = canvas.getContext("2d")!;
      context.drawImage(one as HTMLImageElement, 0, 0);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      let coloured = 0;
      for (let i = 0; i < data.length; i += 4) {
        const channels = [data[i]!, data[i + 1]!, data[i + 2]!];
        if (Math.max(...channels) - Math.min(...channels) > 60) coloured += 1;
      }
      return coloured;
    });
    expect(coloured, theme).toBeGreaterThan(100);
  }
});

test.describe("accessible", () => {
  // axe sets style attributes while it measures, which our policy forbids to pages.
  test.use({ bypassCSP: true });

  for (const theme of THEMES) {
    for (const [size, viewport] of Object.entries(VIEWPORTS)) {
      test(`${theme}, ${size}: the links, a kiosk of old knowledge, a page to read only, the list`, async ({ page }) => {
        await page.emulateMedia({ colorScheme: theme });
        await page.setViewportSize(viewport);
        await open(page, `${PAGES.market}?mode=kiosk&known=-30d`);
        await page.mouse.move(100, 100);
        await expect(page.getByTestId("kiosk-controls")).toHaveCSS("opacity", "1");
        expect(await findings(page), "a kiosk").toBe("");
        await expectNoSidewaysScroll(page);
        await open(page, `${PAGES.market}?mode=read`);
        await page.getByTestId("read-only").click();
        expect(await findings(page), "a page to read only").toBe("");
        await links(page);
        expect(await findings(page), "the links").toBe("");
        await expectNoSidewaysScroll(page);
        await open(page, "/dashboards");
        expect(await findings(page), "the list").toBe("");
        await expectNoSidewaysScroll(page);
      });
    }
  }
});
