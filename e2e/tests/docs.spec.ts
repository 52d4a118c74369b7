import { DOCS, expect, expectNoSidewaysScroll, open, PAGES, settled, test, VIEWPORTS } from "./support";

const results = "[data-testid=docs-results] > li";

test("the server writes the whole text, and the browser leaves it as it is", async ({ page, request }) => {
  for (const [name, path] of DOCS) {
    const html = await (await request.get(path)).text();
    expect(html, name).toContain('<article class="docs-text">');
    await open(page, path);
    const shown = await page.locator(".docs-text").evaluate((text) => text.querySelectorAll("h2, h3, pre, svg").length);
    const written = await page.evaluate((source) => {
      const document = new DOMParser().parseFromString(source, "text/html");
      return document.querySelectorAll(".docs-text :is(h2, h3, pre, svg)").length;
    }, html);
    expect(shown, name).toBe(written);
    expect(shown, name).toBeGreaterThan(3);
  }
});

test("none of the text is in the browser's code", async ({ page, request }) => {
  await open(page, PAGES["docs-semantics"]);
  const wasm = await (await request.get("/pkg/tidemark.wasm")).body();
  expect(wasm.includes("What the two times mean, what events do to them")).toBe(false);
});

test("headings go down one level at a time, and each has an address", async ({ page }) => {
  for (const [name, path] of DOCS) {
    await open(page, path);
    const levels = await page.locator("h1, h2, h3, h4").evaluateAll((all) => all.map((heading) => Number(heading.tagName[1])));
    expect(levels[0], name).toBe(1);
    expect(levels.filter((level) => level === 1), name).toHaveLength(1);
    levels.forEach((level, at) => expect(level, name).toBeLessThanOrEqual((levels[at - 1] ?? 0) + 1));
    for (const link of await page.locator(".docs-heading > a").all()) {
      const href = await link.getAttribute("href");
      await expect(page.locator(`.docs-heading ${href}`), `${name}${href}`).toHaveCount(1);
    }
  }
});

test("from another page and between its own pages nothing is loaded anew", async ({ page }) => {
  await open(page, PAGES.home);
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Docs" }).click();
  await expect(page.getByRole("heading", { name: "Where to begin" })).toBeVisible();
  await expect(page).toHaveTitle("Documentation · Tidemark");
  await page.getByRole("navigation", { name: "Documentation" }).getByRole("link", { name: "Grammar" }).click();
  await expect(page.locator("#system-as-of")).toBeAttached();
  await settled(page);
  await expect(page.locator("h1")).toHaveText("Grammar");
  await expect(page).toHaveURL(/\/docs\/grammar$/);
  await expect(page.locator(".side-nav [aria-current]")).toHaveText("Docs");
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Where to begin" })).toBeVisible();
  await page.goBack();
  await expect(page.getByTestId("table-datasets")).toBeVisible();
  expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
});

test("a link to a section brings it into sight, loaded anew or not", async ({ page }) => {
  const section = page.locator("#history-import");
  await open(page, `${PAGES["docs-semantics"]}#history-import`);
  await expect(section).toBeInViewport();
  await open(page, PAGES["docs-grammar"]);
  await page.locator('.docs-text a[href="/docs/semantics#events"]').first().click();
  await expect(page.locator("#events")).toBeInViewport();
  await page.getByRole("navigation", { name: "On this page" }).getByRole("link", { name: "History import" }).click();
  await expect(section).toBeInViewport();
  await expect(page).toHaveURL(/\/docs\/semantics#history-import$/);
});

test("the search works without scripts", async ({ browser, baseURL }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: baseURL! });
  const page = await context.newPage();
  await page.goto(PAGES.docs);
  await page.getByRole("searchbox").fill("met by");
  await page.getByRole("button", { name: "Find" }).click();
  await expect(page).toHaveURL(/\/docs\/search\?q=met\+by$/);
  await expect(page.getByRole("searchbox")).toHaveValue("met by");
  await expect(page.locator(results).first().getByRole("link")).toHaveAttribute("href", "/docs/periods#met-by");
  await expect(page.locator(`${results} mark`).first()).toBeVisible();
  await page.locator(results).first().getByRole("link").click();
  await expect(page.locator("#met-by")).toBeInViewport();
  await expect(page.getByRole("button", { name: /^Copy/ })).toHaveCount(0);
  await context.close();
});

test("a search that finds nothing says so and leads on", async ({ page }) => {
  await open(page, `${PAGES.docs}/search?q=snapshto`);
  await expect(page.locator(".docs-text h2")).toHaveText("No section has “snapshto”");
  await page.getByRole("link", { name: "snapshot", exact: true }).first().click();
  await expect(page.locator(results).first()).toBeVisible();
  await open(page, `${PAGES.docs}/search?q=${encodeURIComponent("<img src=x onerror=alert(1)>")}`);
  await expect(page.locator(".docs-text img")).toHaveCount(0);
});

test("a slash leads to the search, unless it is typed", async ({ page }) => {
  await open(page, PAGES["docs-recipes"]);
  await page.keyboard.press("/");
  const field = page.getByTestId("docs-search");
  await expect(field).toBeFocused();
  await expect(field).toHaveValue("");
  await page.keyboard.type("a/b");
  await expect(field).toHaveValue("a/b");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/docs\/search\?q=a%2Fb$/);
});

test("an example can be copied, linked to and run", async ({ page, context, request }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await open(page, PAGES["docs-grammar"]);
  const example = page.locator("#example-valid-as-of");
  const code = await example.locator("code").innerText();
  expect(code).toContain("FOR VALID_TIME AS OF");
  const button = example.locator("button[data-copy]");
  await button.click();
  await expect(button).toContainText("Copied");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(code);
  await expect(button).toHaveText(/^Copy /);

  await expect(example.getByRole("link", { name: /^Link/ })).toHaveAttribute("href", "#example-valid-as-of");
  const address = await example.getByRole("link", { name: /^Run/ }).getAttribute("href");
  const answer = await request.get(address!);
  expect(answer.ok(), await answer.text()).toBe(true);
  expect(((await answer.json()) as unknown[]).length).toBeGreaterThan(0);
  await expect(page.locator("#example-insert").getByRole("link", { name: /^Run/ })).toHaveCount(0);
});

test("drawings have names and say the same in words", async ({ page }) => {
  await open(page, PAGES["docs-semantics"]);
  const drawings = page.locator("figure.docs-plane");
  expect(await drawings.count()).toBeGreaterThan(3);
  for (const drawing of await drawings.all()) {
    await expect(drawing.getByRole("img")).toHaveAttribute("aria-label", /.{20,}/);
    await drawing.locator("summary").click();
    expect(await drawing.locator("li").count()).toBeGreaterThanOrEqual(await drawing.locator("rect").count());
  }
  await open(page, PAGES["docs-periods"]);
  await expect(page.locator("svg.docs-relation")).toHaveCount(13);
});

test("on a phone the letters of a drawing can be read and nothing scrolls sideways, not even code", async ({ page }) => {
  await page.setViewportSize(VIEWPORTS.narrow);
  await open(page, PAGES["docs-semantics"]);
  const letters = await page.locator(".docs-plane svg").first().evaluate((svg) => {
    const drawing = svg as SVGSVGElement;
    return 13 * (drawing.clientWidth / drawing.viewBox.baseVal.width);
  });
  expect(letters).toBeGreaterThanOrEqual(11);
  await open(page, PAGES["docs-grammar"]);
  await expectNoSidewaysScroll(page);
  const code = page.locator("#example-diff-at pre");
  expect(await code.evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
});

test("an address that is no page of the documentation says so", async ({ page }) => {
  const answer = await page.goto(`${PAGES.docs}/no-such-page`);
  expect(answer?.status()).toBe(404);
  await expect(page.locator("h1")).toHaveText("Page not found");
  await expect(page.locator('.docs-text a[href="/docs/grammar"]')).toBeVisible();
});
