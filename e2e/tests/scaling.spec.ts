import type { APIRequestContext, Page } from "@playwright/test";
import {
  expect, expectNoSidewaysScroll, findings, number, open, PAGES, pixels, sql, table, test, textOf, THEMES, VIEWPORTS,
} from "./support";

interface Rescale {
  id: number;
  slots_before: number;
  slots_after: number;
  outcome: string | null;
  pause_micros: number | null;
  asked_by: string;
  reason: { trigger: string; text?: string };
}

const status = async (request: APIRequestContext) =>
  (await (await request.get("/api/v1/pipeline")).json()) as { slots: number; failed: boolean; rescale: Rescale | null };

const last = async (request: APIRequestContext): Promise<Rescale | undefined> => {
  const answer = await request.get("/api/v1/pipeline/rescales?limit=1");
  return ((await answer.json()) as { rescales: Rescale[] }).rescales[0];
};

/** So many slots, however many there were. */
async function begin(request: APIRequestContext, slots: number): Promise<void> {
  if ((await status(request)).slots === slots) return;
  const answer = await request.post("/api/v1/pipeline/rescale?wait=30", { data: { slots, reason: "before a test" } });
  expect(answer.status(), await answer.text()).toBe(200);
}

/** Records that were received, and those that were committed, unchanged or refused, over all datasets. */
async function counts(request: APIRequestContext): Promise<{ received: number; told: number }> {
  const datasets = (await (await request.get("/api/v1/datasets")).json()) as { counts: Record<string, number> }[];
  const sum = (name: string) => datasets.reduce((total, { counts }) => total + counts[name]!, 0);
  return { received: sum("received"), told: sum("committed") + sum("unchanged") + sum("quarantined") + sum("in_flight") };
}

/** What the page says of the rescale that was just applied. */
async function expectDone(page: Page, before: number, after: number): Promise<void> {
  const progress = page.getByTestId("tile-progress");
  await expect(progress).toHaveAttribute("data-rescale", "done");
  await expect(page.getByTestId("progress-said")).toContainText(`${before} → ${after} slot`);
  await expect(progress.locator('.step[data-step="done"]')).toHaveCount(4);
  expect(number(await textOf(page.getByTestId("pause-measured")))).toBeGreaterThan(0);
  expect(number(await textOf(page.getByTestId("pause-expected")))).toBeGreaterThan(0);
  await expect(page.getByTestId("slots-now")).toHaveText(String(after));
  await expect(page.getByTestId("kpi-slots")).toHaveText(String(after));
}

test("a rescale by mouse goes through its steps under load and leaves its record", async ({ page, request }) => {
  await begin(request, 2);
  const question = "SELECT count(*) AS n, max(system_from) AS latest FROM prices FOR SYSTEM_TIME AS OF TIMESTAMP ";
  const epochs = await sql(request, 'SELECT system_time FROM system.epochs ORDER BY "epoch" DESC LIMIT 1');
  const asOf = `${question}'${String(epochs[0]!.system_time)}'`;
  const answered = await sql(request, asOf);
  await open(page, PAGES.scaling);
  await expect(page.getByTestId("slots-now")).toHaveText("2");
  await expect(page.getByTestId("slots-wanted")).toHaveValue("2");
  await expect(page.getByTestId("apply")).toHaveAttribute("aria-disabled", "true");

  await page.getByTestId("slots-more").click();
  await page.getByTestId("slots-more").click();
  await expect(page.getByTestId("slots-wanted")).toHaveValue("4");
  await expect(page.getByTestId("expected-moved")).toContainText("96 of 128");
  await expect(page.getByTestId("expected-wait")).toContainText("running epoch");
  const expected = number(await textOf(page.getByTestId("expected-pause")));
  expect(expected).toBeGreaterThan(0);
  await page.getByTestId("reason").fill("the close of the market");
  await page.getByRole("button", { name: "Apply: 2 → 4 slots" }).click();
  await expectDone(page, 2, 4);

  const record = (await last(request))!;
  expect(record).toMatchObject({ slots_before: 2, slots_after: 4, outcome: "done", asked_by: "page" });
  expect(record.reason).toEqual({ trigger: "hand", text: "the close of the market" });
  await expect(page.getByTestId("table-rescales").locator("tbody tr:not(.spacer)").first()).toContainText("2 → 4");
  const [newest] = (await table(page.getByTestId("table-rescales"))).rows;
  expect(newest!.slice(1, 4)).toEqual(["2 → 4", "the close of the market", "page"]);
  expect(newest!.at(-1)).toBe("done");
  await expect(page.getByTestId("reason")).toHaveValue("");

  // Records came in all the time: all are accounted for, and what was known is known still.
  const { received, told } = await counts(request);
  expect(told, "all that was received").toBe(received);
  expect(await sql(request, asOf)).toEqual(answered);
  expect((await status(request)).failed).toBe(false);
});

test("a rescale by keyboard alone", async ({ page, request }) => {
  await begin(request, 2);
  await open(page, PAGES.home);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("scaling");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/admin\/scaling$/);
  await expect(page.getByTestId("slots-wanted")).toHaveValue("2");
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-testid"));
  for (let presses = 0; (await focused()) !== "slots-wanted"; presses += 1) {
    expect(presses, "presses of Tab to the wanted slots").toBeLessThan(60);
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("ArrowUp");
  await expect(page.getByTestId("slots-wanted")).toHaveValue("3");
  for (let presses = 0; (await focused()) !== "apply"; presses += 1) {
    expect(presses, "presses of Tab to Apply").toBeLessThan(20);
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await expectDone(page, 2, 3);
  expect(await focused(), "the focus stays").toBe("apply");
});

test("Enter in the field applies, and a number that cannot be says why", async ({ page, request }) => {
  await begin(request, 2);
  await open(page, PAGES.scaling);
  const wanted = page.getByTestId("slots-wanted");
  await expect(wanted).toHaveValue("2");
  for (const typed of ["0", "129", "-3", "2.5"]) {
    await wanted.fill(typed);
    await expect(wanted).toHaveAttribute("aria-invalid", "true");
    await expect(page.locator("#slots-problem")).toContainText("1 to 128");
    await expect(page.getByTestId("apply")).toHaveAttribute("aria-disabled", "true");
    await wanted.press("Enter");
  }
  await wanted.fill("");
  await expect(page.getByTestId("apply")).toHaveAttribute("aria-disabled", "true");
  expect((await status(request)).slots).toBe(2);
  await wanted.fill("1");
  await wanted.press("Enter");
  await expectDone(page, 2, 1);
});

test("what others do shows by itself, and a refusal says why", async ({ page, request }) => {
  await begin(request, 2);
  await open(page, PAGES.scaling);
  await expect(page.getByTestId("slots-now")).toHaveText("2");
  await begin(request, 8);
  await expectDone(page, 2, 8);
  await expect(page.getByTestId("table-rescales")).toContainText("before a test");
  await page.route("**/api/v1/pipeline/rescale", (route) =>
    route.fulfill({
      status: 409,
      contentType: "application/problem+json",
      body: JSON.stringify({ type: "about:blank", title: "Conflict", status: 409, detail: "rescale 9 to 3 slots is under way" }),
    }),
  );
  await page.getByRole("button", { name: "4 slots wanted" }).click();
  await page.getByTestId("apply").click();
  await expect(page.getByTestId("refusal")).toHaveText("rescale 9 to 3 slots is under way");
});

test("a server that does not say how the pipeline stands is told of, with a retry", async ({ page }) => {
  await page.route("**/api/v1/pipeline", (route) => route.abort());
  await page.goto(PAGES.scaling);
  const control = page.getByTestId("tile-control");
  await expect(control).toHaveAttribute("data-state", "error");
  await expect(control.getByRole("alert")).toContainText("could not be read");
  await page.unroute("**/api/v1/pipeline");
  await control.getByRole("button", { name: "Retry" }).click();
  await expect(control).toHaveAttribute("data-state", "ready");
  await expect(page.getByTestId("slots-wanted")).not.toHaveValue("");
});

test("a pipeline that has stopped takes no rescale", async ({ page }) => {
  await page.route("**/api/v1/pipeline", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), failed: true, running: false } });
  });
  await open(page, PAGES.scaling);
  await expect(page.getByTestId("tile-control").getByRole("alert")).toContainText("has stopped");
  await page.getByTestId("slots-more").click();
  await expect(page.getByTestId("apply")).toHaveAttribute("aria-disabled", "true");
});

test("load, capacity and lag are drawn, each with a table", async ({ page, request }) => {
  await begin(request, 2);
  await begin(request, 4);
  await open(page, PAGES.scaling);
  for (const chart of ["load", "capacity", "lag"]) {
    const canvas = page.getByTestId(`chart-${chart}`).locator("canvas").first();
    await expect.poll(async () => (await pixels(canvas, "--series-1")).coloured, { message: chart }).toBeGreaterThan(20);
    // The rescales are marked.
    await expect(page.getByTestId(`chart-${chart}`)).toHaveAttribute("aria-label", /2 → 4/);
    await page.getByTestId(`chart-${chart}-toggle`).click();
    await expect(page.getByTestId(`table-${chart}`).locator("tbody tr:not(.spacer)").first()).toBeVisible();
    await page.getByTestId(`chart-${chart}-toggle`).click();
  }
});

test.describe("accessibility", () => {
  // axe sets style attributes while it measures, which our policy forbids to pages.
  test.use({ bypassCSP: true });
  for (const theme of THEMES) {
    for (const [size, viewport] of Object.entries(VIEWPORTS)) {
      test(`after a rescale, ${theme}, ${size}`, async ({ page, request }) => {
        await page.emulateMedia({ colorScheme: theme });
        await page.setViewportSize(viewport);
        await begin(request, 2);
        await open(page, PAGES.scaling);
        await page.getByTestId("slots-wanted").fill("5");
        await page.getByTestId("apply").click();
        await expectDone(page, 2, 5);
        await page.getByTestId("slots-wanted").fill("999");
        expect(await findings(page)).toBe("");
        await expectNoSidewaysScroll(page);
      });
    }
  }
});
