// Every digit that was sent is on the screen: 64-bit integers, decimals of 38 digits, dates, microseconds and nulls.
import { define, expect, open, PAGES, test } from "./support";

// Written as text: JavaScript's own numbers would round them.
const BEFORE =
  '{"id":"exact","big":9223372036854775806,"price":"1234567890123456789012345678.0123456788","day":"0001-01-01",' +
  '"at":"2026-01-02T03:04:05.000001+02:00","note":null,"from":"2020-01-01"}';
const AFTER =
  '{"id":"exact","big":-9223372036854775808,"price":"1234567890123456789012345678.0123456789","day":"9999-12-31",' +
  '"at":"2026-01-02T03:04:05.000002+02:00","note":"","from":"2020-01-01"}';

test("what was corrected in the last digit shows both values whole", async ({ page, request }) => {
  const api = "/api/v1/datasets/exact_in_the_browser";
  await define(request, "exact_in_the_browser", {
    big: "int64",
    price: "decimal(38,10)",
    day: "date",
    at: "timestamp",
    note: "string",
  });
  const times: string[] = [];
  for (const event of [BEFORE, AFTER]) {
    const answer = await request.post(`${api}/events?wait=committed`, { data: Buffer.from(event) });
    times.push(((await answer.json()) as { system_time: string }).system_time);
  }
  await open(page, `${PAGES.diff}?dataset=exact_in_the_browser&from=first&a=${times[0]}&b=${times[1]}`);
  const row = page.getByTestId("table-changes").locator("tbody tr[data-kind=changed]");
  await expect(row).toHaveCount(1);
  const shown = ((await row.textContent()) ?? "").replaceAll(/[,\s\u2009\u202f]/g, "").replaceAll("−", "-");
  for (const digits of [
    "9223372036854775806",
    "-9223372036854775808",
    "1234567890123456789012345678.0123456788",
    "1234567890123456789012345678.0123456789",
    "0001",
    "9999",
    "05.000001",
    "05.000002",
  ]) {
    expect(shown, "the row as it is shown").toContain(digits);
  }
});
