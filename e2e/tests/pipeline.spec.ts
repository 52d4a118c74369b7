import { expect, number, open, PAGES, pixels, sql, table, test, textOf } from "./support";

test("the figures are alive without a reload", async ({ page }) => {
  await open(page, PAGES.pipeline);
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  const epoch = async () => Number(await page.getByTestId("live-status").getAttribute("data-epoch"));
  const figure = async () => number(await textOf(page.getByTestId("kpi-epoch")));
  const [before, shown] = [await epoch(), await figure()];
  await expect.poll(epoch).toBeGreaterThan(before);
  await expect.poll(figure).toBeGreaterThan(shown);
  await expect(page.getByTestId("live-status")).toHaveAttribute("data-connection", "live");
  expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
});

test("records per second, lag, epoch duration, state size and slots are shown", async ({ page }) => {
  await open(page, PAGES.pipeline);
  for (const name of ["kpi-records", "kpi-lag", "kpi-epoch-duration", "kpi-state", "kpi-slots"]) {
    await expect.poll(async () => number(await textOf(page.getByTestId(name))), { message: name }).toBeGreaterThanOrEqual(0);
  }
  // The demo feeds all the time; a single second may be without a commit.
  await expect.poll(async () => number(await textOf(page.getByTestId("kpi-records")))).toBeGreaterThan(0);
  expect(number(await textOf(page.getByTestId("kpi-epoch-duration")))).toBeGreaterThan(0);
  expect(number(await textOf(page.getByTestId("kpi-state")))).toBeGreaterThan(0);
  expect(number(await textOf(page.getByTestId("kpi-slots")))).toBeGreaterThan(0);
});

test("recent epochs are those of the system table", async ({ page, request }) => {
  await open(page, PAGES.pipeline);
  const shown = await table(page.getByTestId("table-epochs"));
  expect(shown.rows.length).toBeGreaterThan(0);
  const epochs = shown.rows.map((row) => number(row[0]!));
  expect(epochs).toEqual([...epochs].sort((a, b) => b - a));
  const rows = await sql(request, `SELECT "epoch", records, "rows" FROM system.epochs WHERE "epoch" >= ${epochs.at(-1)}`);
  const byEpoch = new Map(rows.map((row) => [Number(row.epoch), row]));
  for (const row of shown.rows) {
    const truth = byEpoch.get(number(row[0]!));
    expect(truth, `epoch ${row[0]}`).toBeDefined();
    expect([number(row[1]!), number(row[2]!)]).toEqual([Number(truth!.records), Number(truth!.rows)]);
  }
});

test("the four charts are drawn in the series' colour, each with a table", async ({ page }) => {
  await open(page, PAGES.pipeline);
  for (const chart of ["records", "lag", "epoch-duration", "state"]) {
    const canvas = page.getByTestId(`chart-${chart}`).locator("canvas").first();
    await expect.poll(async () => (await pixels(canvas, "--series-1")).coloured, { message: chart }).toBeGreaterThan(20);
    await page.getByTestId(`chart-${chart}-toggle`).click();
    await expect(page.getByTestId(`table-${chart}`).locator("tbody tr:not(.spacer)").first()).toBeVisible();
    await page.getByTestId(`chart-${chart}-toggle`).click();
  }
});

test("what cannot be accepted is listed with its reason", async ({ page, request }) => {
  const answer = await request.post("/api/v1/datasets/prices/events?wait=committed", {
    data: '{"op":"put","instrument_id":"A","close":"not a number","valid_from":"2026-01-02","valid_to":"2026-01-03"}',
    headers: { "content-type": "application/x-ndjson" },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
  await open(page, PAGES.pipeline);
  await expect(page.getByTestId("table-quarantine")).toContainText("not a number", { timeout: 15_000 });
});
