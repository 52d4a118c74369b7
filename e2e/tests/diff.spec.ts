import type { APIRequestContext, Page } from "@playwright/test";
import { chooseFirst, daysAgo, expect, number, open, PAGES, pixels, settled, sql, table, test, textOf } from "./support";
import type { Coordinates, Row } from "./support";

const A = `${daysAgo(100)}T12:00:00Z`;
const B = `${daysAgo(5)}T12:00:00Z`;

interface Comparison {
  dataset: string;
  key: string[];
  values: string[];
  a: string;
  b: string;
}

const REPORTS: Comparison = { dataset: "reports", key: ["issuer_id", "metric"], values: ["value", "currency", "status"], a: A, b: B };
const MEMBERS: Comparison = { dataset: "constituents", key: ["index_id", "instrument_id"], values: ["weight", "index_shares"], a: A, b: B };

/** All effective time, so that the comparison is of everything known. */
const address = ({ dataset, a, b }: Comparison): string => `${PAGES.diff}?dataset=${dataset}&from=first&a=${a}&b=${b}`;

type Kind = "added" | "removed" | "changed";
interface Stretch {
  kind: Kind;
  key: string;
  from: string;
  before: Row | undefined;
  after: Row | undefined;
}

const OPEN = "9999";
const start = (row: Row): string => String(row.valid_from ?? "");
const end = (row: Row): string => String(row.valid_to ?? OPEN);

/** Rows of a reading by key. */
async function reading(request: APIRequestContext, { dataset, key, values }: Comparison, at: Coordinates): Promise<Map<string, Row[]>> {
  const columns = [...key, "valid_from", "valid_to", "system_from", ...values].join(", ");
  const rows = await sql(request, `SELECT ${columns} FROM ${dataset}`, at);
  const id = (row: Row): string => key.map((name) => String(row[name])).join("|");
  return rows.reduce((all, row) => all.set(id(row), [...(all.get(id(row)) ?? []), row]), new Map<string, Row[]>());
}

/** What differs, worked out here instant by instant from two plain readings. */
async function differences(request: APIRequestContext, comparison: Comparison): Promise<Stretch[]> {
  const [before, after] = [
    await reading(request, comparison, { system_time: comparison.a }),
    await reading(request, comparison, { system_time: comparison.b }),
  ];
  const same = (x: Row | undefined, y: Row | undefined): boolean =>
    x === undefined || y === undefined ? x === y : comparison.values.every((name) => x[name] === y[name]);
  const version = (row: Row | undefined): string => JSON.stringify(row && [row.system_from, ...comparison.values.map((name) => row[name])]);
  const found: Stretch[] = [];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [olds, news] = [before.get(key) ?? [], after.get(key) ?? []];
    const cuts = [...new Set([...olds, ...news].flatMap((row) => [start(row), end(row)]))].sort();
    let last: Stretch | undefined;
    for (const from of cuts) {
      const holds = (row: Row): boolean => start(row) <= from && from < end(row);
      const [old, now] = [olds.find(holds), news.find(holds)];
      if (same(old, now)) {
        last = undefined;
        continue;
      }
      if (last && version(last.before) === version(old) && version(last.after) === version(now)) continue;
      last = { kind: old ? (now ? "changed" : "removed") : "added", key, from, before: old, after: now };
      found.push(last);
    }
  }
  return found;
}

async function expectCounts(page: Page, found: Stretch[], turned: Partial<Record<Kind, Kind>> = {}): Promise<void> {
  const count = (kind: Kind): number => found.filter((stretch) => stretch.kind === (turned[kind] ?? kind)).length;
  for (const kind of ["added", "removed", "changed"] as const) {
    await expect.poll(async () => number(await textOf(page.getByTestId(`count-${kind}`))), { message: kind }).toBe(count(kind));
  }
  await expect.poll(async () => number(await textOf(page.getByTestId("count-all")))).toBe(found.length);
}

const rows = (page: Page) => page.getByTestId("table-changes").locator("tbody tr:not(.spacer)");
const plain = (text: string): string => text.replaceAll(",", "").replaceAll("−", "-").trim();

test("what was added, removed and changed is what two readings say, instant by instant", async ({ page, request }) => {
  for (const comparison of [REPORTS, MEMBERS]) {
    const found = await differences(request, comparison);
    expect(found.length, "the demo restates").toBeGreaterThan(0);
    await open(page, address(comparison));
    await expectCounts(page, found);
    expect(number(await textOf(page.getByTestId("tile-changes").locator(".tile-note")))).toBe(found.length);
  }
});

test("a changed cell shows the value before and the value after, digit for digit", async ({ page, request }) => {
  const found = await differences(request, REPORTS);
  const restated = found.filter(({ kind, before, after }) => kind === "changed" && before!.value !== after!.value);
  expect(restated.length, "the demo restates reports").toBeGreaterThan(0);
  await open(page, `${address(REPORTS)}&kind=changed`);
  await expect(page.locator(".kind[data-kind=changed]")).toHaveAttribute("aria-pressed", "true");
  const shown = await rows(page).evaluateAll((rows) =>
    rows.map((row) => ({
      kind: row.getAttribute("data-kind"),
      key: [...row.querySelectorAll("td")].slice(0, 2).map((cell) => cell.textContent).join("|"),
      before: row.querySelector("td.number del")?.textContent ?? "",
      after: row.querySelector("td.number ins")?.textContent ?? "",
    })),
  );
  expect(new Set(shown.map(({ kind }) => kind))).toEqual(new Set(["changed"]));
  for (const { key, before, after } of restated.slice(0, 50)) {
    const row = shown.find((row) => row.key === key && plain(row.before) === String(before!.value));
    expect(row, `${key} ${before!.value}`).toBeDefined();
    expect(plain(row!.after)).toBe(String(after!.value));
  }
});

/** What happened to each row that is in sight. */
const kindsShown = (page: Page): Promise<string[]> =>
  rows(page).evaluateAll((rows) => [...new Set(rows.map((row) => row.getAttribute("data-kind") ?? ""))]);
const noted = async (page: Page): Promise<number> => number(await textOf(page.getByTestId("tile-changes").locator(".tile-note")));

test("a kind that is clicked is the only one shown, and back shows all again", async ({ page, request }) => {
  const found = await differences(request, REPORTS);
  const added = found.filter(({ kind }) => kind === "added");
  expect(added.length, "the demo adds reports").toBeGreaterThan(0);
  expect(added.length, "and restates others").toBeLessThan(found.length);
  await open(page, address(REPORTS));
  await expectCounts(page, found);
  const pressed = page.locator(".kind[aria-pressed=true]");
  const expectAll = async (): Promise<void> => {
    await expect(pressed).toHaveAttribute("data-kind", "all");
    await expect.poll(() => noted(page)).toBe(found.length);
    // What was added comes last, and is not in sight among all.
    await expect(rows(page).first()).not.toHaveAttribute("data-kind", "added");
  };
  await expectAll();

  await page.locator(".kind[data-kind=added]").click();
  await expect(page).toHaveURL(/[?&]kind=added(&|$)/);
  await expect(pressed).toHaveCount(1);
  await expect(pressed).toHaveAttribute("data-kind", "added");
  await expect.poll(() => kindsShown(page)).toEqual(["added"]);
  await expect.poll(() => noted(page)).toBe(added.length);
  // What could be chosen instead is still counted.
  await expectCounts(page, found);

  await page.goBack();
  await expect(page).not.toHaveURL(/[?&]kind=/);
  await expectAll();
  await page.goForward();
  await expect.poll(() => kindsShown(page)).toEqual(["added"]);
  await page.locator(".kind[data-kind=all]").click();
  await expect(page).not.toHaveURL(/[?&]kind=/);
  await expectAll();
});

test("what is typed into find narrows down rows and counts to keys that have it, and back restores them", async ({ page, request }) => {
  const found = await differences(request, REPORTS);
  const issuer = found[0]!.key.split("|")[0]!;
  const has = (text: string) => ({ key }: Stretch): boolean => key.split("|").some((part) => part.toLowerCase().includes(text));
  const kept = found.filter(has(issuer.toLowerCase()));
  expect(kept.length, `rows of other keys than ${issuer}`).toBeLessThan(found.length);
  await open(page, address(REPORTS));
  await expectCounts(page, found);

  // However it is written.
  const find = page.getByTestId("find");
  await find.pressSequentially(issuer.toLowerCase());
  await find.press("Enter");
  await expect.poll(() => new URL(page.url()).searchParams.get("find")).toBe(issuer.toLowerCase());
  await expectCounts(page, kept);
  await expect.poll(() => noted(page)).toBe(kept.length);
  const issuers = async (): Promise<string[]> => [...new Set(await rows(page).locator("td:nth-child(2)").allInnerTexts())];
  await expect.poll(issuers).toEqual([issuer]);

  await page.goBack();
  await expect.poll(() => new URL(page.url()).searchParams.has("find")).toBe(false);
  await expect(find).toHaveValue("");
  await expectCounts(page, found);
  await expect.poll(() => noted(page)).toBe(found.length);

  await find.fill("no key has this");
  await find.press("Enter");
  await expect(page.getByTestId("tile-changes")).toHaveAttribute("data-state", "empty");
  await expectCounts(page, []);
});

test("swapping A and B turns added into removed, and back returns", async ({ page, request }) => {
  const found = await differences(request, MEMBERS);
  await open(page, address(MEMBERS));
  await expectCounts(page, found);
  await page.getByTestId("swap").click();
  await expectCounts(page, found, { added: "removed", removed: "added" });
  await page.goBack();
  await expectCounts(page, found);
});

test("one day is compared with another, each as it was known then", async ({ page, request }) => {
  const [one, other] = [daysAgo(90), daysAgo(20)];
  const at = (day: string, system_time: string): Coordinates => ({ valid_time: `${day}T00:00:00Z`, system_time });
  const [before, after] = [await reading(request, MEMBERS, at(one, A)), await reading(request, MEMBERS, at(other, B))];
  await open(page, `${PAGES.diff}?dataset=constituents&on=${other}&a-on=${one}&a=${A}&b=${B}`);
  const count = async (kind: Kind): Promise<number> => number(await textOf(page.getByTestId(`count-${kind}`)));
  expect(await count("added")).toBe([...after.keys()].filter((key) => !before.has(key)).length);
  expect(await count("removed")).toBe([...before.keys()].filter((key) => !after.has(key)).length);
  await expect(page.getByTestId("coordinate-effective")).toContainText("→");
  await expect(page.getByTestId("a-day")).toHaveValue(one);
});

test("pictures are drawn, their tables add up, and a key chosen there narrows down the rest", async ({ page, request }) => {
  const found = await differences(request, REPORTS);
  await open(page, address(REPORTS));
  const canvas = page.getByTestId("chart-keys").locator("canvas").first();
  await expect.poll(async () => (await pixels(canvas, "--series-1")).coloured).toBeGreaterThan(50);
  await page.getByTestId("chart-keys-toggle").click();
  const sums = (await table(page.getByTestId("table-keys"))).rows;
  expect(sums.reduce((sum, row) => sum + number(row[1]!), 0)).toBe(found.length);
  await page.getByTestId("chart-keys-toggle").click();
  await chooseFirst(page, "chart-keys");
  await expect(page).toHaveURL(/only=issuer_id/);
  await settled(page);
  const issuer = await textOf(page.getByTestId("filters").locator("strong"));
  await expectCounts(page, found.filter(({ key }) => key.startsWith(`${issuer}|`)));
});

test("the differences come to so many rows, unless a value is chosen that adds up", async ({ page, request }) => {
  const found = await differences(request, REPORTS);
  await open(page, address(REPORTS));
  await page.getByTestId("chart-steps-toggle").click();
  const rows = async (): Promise<Map<string, number>> =>
    new Map((await table(page.getByTestId("table-steps"))).rows.map(([step, amount]) => [step!, number(amount!)]));
  const late = found.filter(({ kind, from }) => kind === "added" && from < A).length;
  await expect.poll(async () => (await rows()).get("Late")).toBe(late);
  expect((await rows()).get("Corrected")).toBe(0);
  await page.getByTestId("value-select").selectOption("value");
  await expect(page).toHaveURL(/[?&]value=value/);
  await page.getByTestId("value-select").selectOption({ label: "Rows" });
  await expect(page).not.toHaveURL(/[?&]value=/);
});

test("the differences of a value add up to what they come to", async ({ page, request }) => {
  const found = await differences(request, REPORTS);
  await open(page, `${address(REPORTS)}&value=value`);
  await page.getByTestId("chart-steps-toggle").click();
  const steps = new Map((await table(page.getByTestId("table-steps"))).rows.map(([step, amount]) => [step!, number(amount!)]));
  const sum = (stretches: Stretch[]): number =>
    stretches.reduce((sum, { before, after }) => sum + Number(after?.value ?? 0) - Number(before?.value ?? 0), 0);
  const near = (step: string, stretches: Stretch[]): void => expect(steps.get(step), step).toBeCloseTo(sum(stretches), 2);
  near("Corrected", found.filter(({ kind }) => kind === "changed"));
  near("Late", found.filter(({ kind, from }) => kind === "added" && from < A));
  near("New", found.filter(({ kind, from }) => kind === "added" && from >= A));
});

test("a row opens its versions, and its link opens them again", async ({ page }) => {
  await open(page, `${address(REPORTS)}&kind=changed&find=gal`);
  const box = page.getByRole("region", { name: "Rows that differ: table" });
  await expect(rows(page).first()).toBeVisible();
  for (const key of await rows(page).locator("td:nth-child(2)").allInnerTexts()) expect(key.toLowerCase()).toContain("gal");
  await box.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("versions")).toBeVisible();
  await expect(page).toHaveURL(/versions=reports:/);
  await page.reload();
  await settled(page);
  await expect(page.getByTestId("versions")).toBeVisible();
  await expect(page.getByTestId("table-versions").locator("tbody tr:not(.spacer)").first()).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page).not.toHaveURL(/versions=/);
});

test("another dataset is one choice away, and its comparison has an address", async ({ page, request }) => {
  await open(page, address(REPORTS));
  await page.getByTestId("dataset-select").selectOption("constituents");
  await expect(page).toHaveURL(/dataset=constituents/);
  await settled(page);
  await expectCounts(page, await differences(request, MEMBERS));
});

test("what was first published is compared with now", async ({ page, request }) => {
  await open(page, `${PAGES.diff}?dataset=reports&from=first&a=first&b=${B}&kind=changed`);
  const [first] = await sql(
    request,
    `SELECT count(*) AS n FROM first_published(reports) AS a
     JOIN reports AS b ON a.issuer_id = b.issuer_id AND a.metric = b.metric AND a.valid_from = b.valid_from
     WHERE a.value <> b.value OR a.status <> b.status OR a.currency <> b.currency OR (a.valid_to IS DISTINCT FROM b.valid_to)`,
    { system_time: B },
  );
  await expect.poll(async () => number(await textOf(page.getByTestId("count-changed")))).toBe(Number(first!.n));
});

test("two readings that say the same say so", async ({ page }) => {
  await open(page, address({ ...REPORTS, b: A }));
  await expect(page.getByTestId("tile-changes")).toHaveAttribute("data-state", "empty");
  await expect(page.getByTestId("tile-changes")).toContainText("say the same");
});

test("a dataset that is not there, and times that are none, are named", async ({ page }) => {
  await open(page, `${PAGES.diff}?dataset=nowhere&a=soon`);
  await expect(page.getByRole("alert").filter({ hasText: "nowhere" })).toBeVisible();
  await expect(page.getByRole("alert").filter({ hasText: "soon" })).toBeVisible();
});
