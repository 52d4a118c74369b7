// The time control: a strip with a crosshair, fields to type into, playing through, and the way back.
import type { Locator, Page } from "@playwright/test";
import { expect, expectNoSidewaysScroll, open, PAGES, settled, shows, sql, table, test, textOf } from "./support";

const DAY_MS = 86_400_000;
const INDEX = PAGES["benchmark-index"];
const day = (back: number): string => new Date(Date.now() - back * DAY_MS).toISOString().slice(0, 10);
/** `31 Mar 2026`, as the screen writes it. */
const dayText = (iso: string): string => {
  const [year, month, date] = iso.split("-").map(Number) as [number, number, number];
  return `${date} ${"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")[month - 1]} ${year}`;
};
const daysLater = (iso: string, days: number): string =>
  new Date(Date.parse(`${iso}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);

const parameter = (page: Page, name: string): string | null => new URL(page.url()).searchParams.get(name);
const strip = (page: Page): Locator => page.getByTestId("strip");
const value = async (slider: Locator): Promise<number> => Number(await slider.getAttribute("aria-valuenow"));

/** The middle of what is drawn of a slider. */
async function middle(slider: Locator): Promise<{ x: number; y: number }> {
  const box = await slider.boundingBox();
  if (!box) throw new Error("the slider is not on screen");
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

async function drag(page: Page, from: { x: number; y: number }, by: { x?: number; y?: number }): Promise<void> {
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  for (const part of [0.25, 0.5, 0.75, 1]) {
    await page.mouse.move(from.x + (by.x ?? 0) * part, from.y + (by.y ?? 0) * part);
    await page.waitForTimeout(100);
  }
  await page.mouse.up();
}

const range = `${INDEX}?from=${day(150)}&to=${day(90)}`;

test("dragging an edge resizes the range, and the whole drag is one step back", async ({ page }) => {
  await open(page, range);
  const before = page.url();
  await drag(page, await middle(page.getByTestId("effective-to")), { x: 60 });
  await expect.poll(() => parameter(page, "from")).toBe(day(150));
  await expect.poll(() => parameter(page, "to")! > day(90)).toBe(true);
  const to = parameter(page, "to")!;
  await expect(page.getByTestId("coordinate-effective")).toContainText(dayText(to));
  await expect(page.getByTestId("effective-field")).toHaveValue(`${day(150)} – ${to}`);
  await expect(page.getByTestId("effective-to")).toHaveAttribute("aria-valuetext", dayText(to));
  await page.goBack();
  await expect(page).toHaveURL(before);
  await expect(page.getByTestId("effective-field")).toHaveValue(`${day(150)} – ${day(90)}`);
  await page.goForward();
  await expect.poll(() => parameter(page, "to")).toBe(to);
});

test("dragging the middle sideways moves the range and keeps its length and what is known", async ({ page }) => {
  await open(page, range);
  const box = (await strip(page).boundingBox())!;
  const grip = await middle(page.getByTestId("effective-range"));
  await drag(page, { x: grip.x, y: box.y + box.height * 0.75 }, { x: -40, y: 6 });
  await expect.poll(() => parameter(page, "from")! < day(150)).toBe(true);
  const [from, to] = [parameter(page, "from")!, parameter(page, "to")!];
  expect(to).toBe(daysLater(from, 60));
  expect(parameter(page, "known")).toBeNull();
});

test("dragging down goes back in known, dragging to the top returns to now", async ({ page, request }) => {
  await open(page, range);
  const slider = page.getByTestId("known-slider");
  await drag(page, await middle(slider), { y: 12 });
  await expect(page.getByTestId("known-banner")).toBeVisible();
  const known = parameter(page, "known")!;
  expect(Date.now() - Date.parse(known)).toBeGreaterThan(30 * DAY_MS);
  await settled(page);
  const [row] = await sql(
    request,
    `SELECT SUM(p.close * c.index_shares) AS "level" FROM prices p JOIN constituents c ON c.instrument_id = p.instrument_id
       AND c.valid_from <= p.valid_from AND (c.valid_to IS NULL OR c.valid_to > p.valid_from)
     WHERE c.index_id = 'TMK30' AND p.valid_from < TIMESTAMP '${daysLater(day(90), 1)}'
     GROUP BY p.valid_from ORDER BY p.valid_from DESC LIMIT 1`,
    { system_time: known },
  );
  const level = Number(row?.level).toLocaleString("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  await expect(page.getByTestId("kpi-last")).toHaveText(`${level} index points`);
  await expect(page.locator(".frame")).toHaveAttribute("data-known", "past");

  const box = (await strip(page).boundingBox())!;
  const at = await middle(slider);
  await drag(page, at, { y: box.y - 4 - at.y });
  await expect(page.getByTestId("known-banner")).toBeHidden();
  expect(parameter(page, "known")).toBeNull();
});

test("a click beside the range brings it there", async ({ page }) => {
  await open(page, range);
  const box = (await strip(page).boundingBox())!;
  await page.mouse.click(box.x + box.width * 0.2, box.y + box.height * 0.7);
  await expect.poll(() => parameter(page, "to")! < day(90)).toBe(true);
  expect(parameter(page, "to")).toBe(daysLater(parameter(page, "from")!, 60));
});

test("by keyboard alone: every slider is reached, moves by its grain, and says where it is", async ({ page }) => {
  await open(page, range);
  const reach = async (testid: string): Promise<Locator> => {
    const slider = page.getByTestId(testid);
    const focused = () => slider.evaluate((element) => element === document.activeElement);
    for (let presses = 0; presses < 60 && !(await focused()); presses += 1) await page.keyboard.press("Tab");
    expect(await focused(), testid).toBe(true);
    await expect(slider).toHaveAttribute("role", "slider");
    return slider;
  };
  const from = await reach("effective-from");
  await page.keyboard.press("ArrowLeft");
  await expect.poll(() => parameter(page, "from")).toBe(day(151));
  await expect(from).toHaveAttribute("aria-valuetext", dayText(day(151)));
  await page.keyboard.press("Shift+ArrowRight");
  await expect.poll(() => parameter(page, "from")).toBe(day(141));

  await reach("effective-range");
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => [parameter(page, "from"), parameter(page, "to")]).toEqual([day(140), day(89)]);

  const to = await reach("effective-to");
  await page.keyboard.press("End");
  await expect.poll(async () => (await value(to)) === Number(await to.getAttribute("aria-valuemax"))).toBe(true);

  const known = await reach("known-slider");
  await expect(known).toHaveAttribute("aria-valuetext", "now");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Shift+ArrowDown");
  await expect(page.getByTestId("known-banner")).toBeVisible();
  const hours = (Date.now() - Date.parse(parameter(page, "known")!)) / 3_600_000;
  expect(hours).toBeGreaterThan(10);
  expect(hours).toBeLessThan(12.1);
  await expect(known).toHaveAttribute("aria-valuetext", /\d\d:00 UTC$/);
  // Both presses were one movement.
  await page.goBack();
  await expect(known).toHaveAttribute("aria-valuetext", "now");
  await page.goForward();
  await known.focus();
  await page.keyboard.press("Home");
  await expect(known).toHaveAttribute("aria-valuenow", "0");
  await page.keyboard.press("Escape");
  await expect(known).toHaveAttribute("aria-valuetext", "now");
  await expect(known).toBeFocused();
});

test("whatever a field can say has a short address, and reads back", async ({ page }) => {
  await open(page, INDEX);
  const effective = page.getByTestId("effective-field");
  const cases: [string, Record<string, string>, string][] = [
    [day(60), { on: day(60) }, day(60)],
    [`${day(60)} – ${day(30)}`, { from: day(60), to: day(30) }, `${day(60)} – ${day(30)}`],
    ["7d", { last: "7d" }, "last 7d"],
    ["ytd", { last: "ytd" }, "last ytd"],
    ["all", { from: "first" }, "all"],
    ["3m", {}, "last 3m"],
  ];
  for (const [typed, wanted, shown] of cases) {
    await effective.fill(typed);
    await effective.press("Enter");
    await expect.poll(() => Object.fromEntries(new URL(page.url()).searchParams), { message: typed }).toEqual(wanted);
    await expect(effective).toHaveValue(shown);
    await page.reload();
    await settled(page);
    await expect(effective).toHaveValue(shown);
  }
  const known = page.getByTestId("known-field");
  for (const [typed, wanted] of [["-7d", "-7d"], [day(20), day(20)], [`${day(20)} 18:00`, `${day(20)}T18:00:00Z`]] as const) {
    await known.fill(typed);
    await known.press("Enter");
    await expect.poll(() => parameter(page, "known"), { message: typed }).toBe(wanted);
    await expect(page.getByTestId("known-banner")).toBeVisible();
  }
  expect(page.url()).toContain(`?known=${day(20)}T18:00:00Z`);
});

test("what cannot be read is named, in a field and in an address", async ({ page }) => {
  await open(page, INDEX);
  const effective = page.getByTestId("effective-field");
  await effective.fill("last spring");
  await effective.press("Enter");
  await expect(page.getByText("'last spring' is no day or range", { exact: false })).toBeVisible();
  await expect(effective).toHaveAttribute("aria-invalid", "true");
  const known = page.getByTestId("known-field");
  await known.fill("2999-01-01");
  await known.press("Enter");
  await expect(page.getByText("has not come yet", { exact: false })).toBeVisible();
  await open(page, `${INDEX}?last=fortnight&vs=twice`);
  await expect(page.getByRole("alert")).toContainText("'fortnight' is no length of time");
  await expect(page.getByRole("alert")).toContainText("'twice' is no comparison");
});

test("presets choose a day, a range that moves with today, and so long ago", async ({ page }) => {
  await open(page, range);
  await page.getByTestId("effective-preset").selectOption({ label: "One day" });
  await expect.poll(() => parameter(page, "on")).toBe(day(90));
  await expect(page.getByTestId("effective-from")).toBeHidden();
  await page.getByTestId("effective-range").focus();
  await page.keyboard.press("Shift+ArrowLeft");
  await expect.poll(() => parameter(page, "on")).toBe(day(100));
  await page.getByTestId("effective-preset").selectOption({ label: "Month to date" });
  await expect.poll(() => parameter(page, "last")).toBe("mtd");
  await page.getByTestId("known-preset").selectOption({ label: "1 week ago" });
  await expect.poll(() => parameter(page, "known")).toBe("-7d");
  await expect(page.getByTestId("known-banner")).toContainText(`As known on ${dayText(day(7))}`);
  await page.goBack();
  await expect(page.getByTestId("known-banner")).toBeHidden();
});

test("a comparison says which days it is with, and draws them over those shown", async ({ page, request }) => {
  await open(page, range);
  await page.getByTestId("compare-select").selectOption("prev");
  await expect.poll(() => parameter(page, "vs")).toBe("prev");
  const [from, to] = [day(211), day(151)];
  const days = from.slice(0, 4) === to.slice(0, 4) ? `${dayText(from).slice(0, -5)} – ${dayText(to)}` : `${dayText(from)} – ${dayText(to)}`;
  await expect(page.getByTestId("compared")).toHaveText(`compared with ${days}`);
  await settled(page);
  await expect(page.getByTestId("tile-level")).toContainText(`compared with ${days}`);
  const rows = await sql(
    request,
    `SELECT p.valid_from AS "day", SUM(p.close * c.index_shares) AS "level" FROM prices p JOIN constituents c
       ON c.instrument_id = p.instrument_id AND c.valid_from <= p.valid_from AND (c.valid_to IS NULL OR c.valid_to > p.valid_from)
     WHERE c.index_id = 'TMK30' AND p.valid_from >= TIMESTAMP '${from}' AND p.valid_from < TIMESTAMP '${day(150)}'
     GROUP BY p.valid_from`,
  );
  await page.getByTestId("chart-level-toggle").click();
  const twin = await table(page.getByTestId("table-level"));
  const column = twin.header.findIndex((name) => name.startsWith("Level before"));
  const levels = new Map(rows.map((row) => [dayText(String(row.day).slice(0, 10)), Number(row.level)]));
  let compared = 0;
  for (const row of twin.rows.filter((row) => row[column] !== "")) {
    // Where no price was set 61 days before, that of the day before stands there with its day.
    const [, value, said] = /^([\d,.]+)(?: \((.+)\))?$/.exec(row[column]!)!;
    const iso = new Date(`${row[0]} UTC`).toISOString().slice(0, 10);
    const over = said ?? dayText(daysLater(iso, -61));
    expect(Math.abs(Number(value!.replaceAll(",", "")) - levels.get(over)!), `${row[0]}: ${row[column]}`).toBeLessThan(0.006);
    compared += 1;
  }
  expect(compared).toBeGreaterThan(rows.length - 5);
  await page.getByTestId("effective-preset").selectOption({ label: "All" });
  await expect(page.getByTestId("compared")).toContainText("Choose a range with a first day");
});

test("as first published says so, asks every table for it, and shows what SQL gives", async ({ page, request }) => {
  await open(page, range);
  const asked: string[] = [];
  page.on("request", (sent) => asked.push(decodeURIComponent(sent.url()) + (sent.postData() ?? "")));
  await page.getByTestId("known-preset").selectOption("first");
  await expect.poll(() => parameter(page, "known")).toBe("first");
  await expect(page.getByTestId("known-banner")).toContainText("As first published.");
  await expect(page.locator(".frame")).toHaveAttribute("data-known", "past");
  await expect.poll(() => asked.some((body) => body.includes("constituents") && body.includes("first-published"))).toBe(true);
  const [last] = await sql(
    request,
    `SELECT SUM(p.close * c.index_shares) AS level FROM first_published(prices) p
     JOIN first_published(constituents) c ON c.instrument_id = p.instrument_id
     AND c.valid_from <= p.valid_from AND (c.valid_to IS NULL OR c.valid_to > p.valid_from)
     WHERE c.index_id = 'TMK30' AND p.valid_from >= '${day(150)}' AND p.valid_from < '${day(89)}'
     GROUP BY p.valid_from ORDER BY p.valid_from DESC LIMIT 1`,
  );
  await expect.poll(async () => shows(await textOf(page.getByTestId("kpi-last")), Number(last?.["level"]))).toBe(true);
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("known-banner")).toBeHidden();
});

test("playing through moves known up to now, and any choice stops it", async ({ page }) => {
  await open(page, `${range}&known=${day(30)}`);
  const play = page.getByTestId("play");
  await play.click();
  await expect(play).toHaveText("Pause");
  const known = () => parameter(page, "known");
  await expect.poll(known).not.toBe(day(30));
  const first = known();
  await expect.poll(known).not.toBe(first);
  expect(Date.parse(known()!)).toBeGreaterThan(Date.parse(day(30)));

  await page.getByTestId("effective-range").focus();
  await page.keyboard.press("ArrowRight");
  await expect(play).toHaveText("Play through");
  const stopped = known();
  await page.waitForTimeout(1_200);
  expect(known()).toBe(stopped);

  // All steps of the play are one; the key moved the range.
  await page.keyboard.press(" ");
  await expect(play).toHaveText("Pause");
  await expect(page.getByTestId("known-banner")).toBeHidden({ timeout: 30_000 });
  await expect(play).toHaveText("Play through");
  await page.goBack();
  await expect.poll(known).toBe(stopped);
});

test.describe("with less motion", () => {
  test.use({ contextOptions: { reducedMotion: "reduce" } });

  test("each step is made by hand", async ({ page }) => {
    await open(page, `${range}&known=${day(30)}`);
    const play = page.getByTestId("play");
    await expect(play).toHaveText("Step forward");
    await play.click();
    await expect.poll(() => parameter(page, "known")).not.toBe(day(30));
    const once = parameter(page, "known");
    await page.waitForTimeout(1_200);
    expect(parameter(page, "known")).toBe(once);
    await play.click();
    await expect.poll(() => parameter(page, "known")).not.toBe(once);
    await expect(play).toHaveText("Step forward");
  });
});

test("two known times on one strip: A and B move by themselves", async ({ page }) => {
  await open(page, `${PAGES.diff}?dataset=reports&from=first&a=${day(100)}T12:00:00Z&b=${day(5)}`);
  const [a, b] = [page.getByTestId("known-a-slider"), page.getByTestId("known-b-slider")];
  await expect(a).toHaveAttribute("aria-valuetext", `${dayText(day(100))}, 12:00 UTC`);
  await a.focus();
  await page.keyboard.press("ArrowUp");
  await expect.poll(() => parameter(page, "a")).toBe(`${day(100)}T13:00:00Z`);
  await drag(page, await middle(b), { y: 20 });
  await expect.poll(() => parameter(page, "b")! < day(5)).toBe(true);
  expect(parameter(page, "a")).toBe(`${day(100)}T13:00:00Z`);
  await expect(page.getByTestId("coordinate-known")).toContainText(`${dayText(day(100))}, 13:00 UTC →`);
});

test.describe("by touch at 390 px", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test("a finger moves both times without scrolling the page", async ({ page }) => {
    await open(page, range);
    const session = await page.context().newCDPSession(page);
    const touch = async (from: { x: number; y: number }, by: { x: number; y: number }): Promise<void> => {
      const point = (part: number) => [{ x: from.x + by.x * part, y: from.y + by.y * part }];
      await session.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: point(0) });
      for (const part of [0.2, 0.4, 0.6, 0.8, 1]) {
        await session.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: point(part) });
        await page.waitForTimeout(60);
      }
      await session.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    };
    await touch(await middle(page.getByTestId("effective-from")), { x: -30, y: 4 });
    await expect.poll(() => parameter(page, "from")! < day(150)).toBe(true);
    await touch(await middle(page.getByTestId("known-slider")), { x: 0, y: 50 });
    await expect(page.getByTestId("known-banner")).toBeVisible();
    expect(await page.evaluate(() => window.scrollY)).toBe(0);
    expect(await textOf(page.getByTestId("known-banner"))).toContain("As known on");
    await expectNoSidewaysScroll(page);
  });

  test("the fields are folded, what they say is not, and a tap unfolds them", async ({ page }) => {
    await open(page, range);
    const [fold, field] = [page.getByTestId("time-fold"), page.getByTestId("effective-field")];
    await expect(field).toBeHidden();
    const said = (await page.getByTestId("coordinate-effective").textContent())!;
    await expect(fold).toHaveText(`↔ ${said} ↕ now`);
    await fold.tap();
    await page.getByTestId("effective-preset").selectOption({ index: 1 });
    await expect(fold).not.toContainText(said);
    await fold.tap();
    await expect(field).toBeHidden();
    const now = (await page.getByTestId("coordinate-effective").textContent())!;
    await expect(fold).toHaveText(`↔ ${now} ↕ now`);
  });
});
