import { DASHBOARDS, expect, FURTHER_DASHBOARDS, open, PAGES, sql, table, test } from "./support";

test("home is rendered by the server and then runs", async ({ page, request }) => {
  const html = await (await request.get(PAGES.home)).text();
  expect(html).toContain("<h1");
  expect(html).toContain("Tidemark");
  await open(page, PAGES.home);
  await expect(page).toHaveTitle(/Tidemark/);
  await expect(page.getByTestId("live-status")).toHaveAttribute("data-epoch", /^[1-9]\d*$/);
});

test("home leads to each dashboard", async ({ page }) => {
  for (const [name, path] of [...DASHBOARDS, ...FURTHER_DASHBOARDS]) {
    await open(page, PAGES.home);
    await page.locator("main").locator(`a[href^="${path}"]`).first().click();
    await expect(page, name).toHaveURL((url) => `${url.pathname}${url.search}`.startsWith(path));
  }
});

test("home lists the datasets with what SQL finds in them", async ({ page, request }) => {
  await open(page, PAGES.home);
  const { rows } = await table(page.getByTestId("table-datasets"));
  // Other tests define datasets of their own.
  const names = ["bonds", "constituents", "corporate_actions", "instruments", "prices", "reports"];
  expect(rows.map((row) => row[0])).toEqual(expect.arrayContaining(names));
  for (const [name] of rows as [string][]) {
    const [counted] = await sql(request, `SELECT count(*) AS n FROM ${name}`);
    expect(Number(counted?.n), name).toBeGreaterThan(0);
  }
});

test("a dataset leads to what changed in it", async ({ page }) => {
  await open(page, PAGES.home);
  await page.getByTestId("table-datasets").getByRole("link", { name: "reports" }).click();
  await expect(page).toHaveURL(/\/diff\?dataset=reports/);
  await expect(page.getByTestId("dataset-select")).toHaveValue("reports");
});
