// The keyboard's way through every kind of page: where the focus is can be seen, nothing covers it, and it gets on. And
// nothing moves for those who asked for no motion.
import type { Page } from "@playwright/test";
import { expect, open, PAGES, test, textOf, VIEWPORTS } from "./support";

const KINDS = ["home", "market", "diff", "explore", "pipeline", "docs", "docs-grammar", "design"] as const;
const STOPS_MOST = 60;
/** More than the frame of every page has by itself. */
const STOPS_LEAST = 15;
/** As style/base.css draws the ring. */
const RING_PX = 2;

interface Stop {
  /** Whether the way has come to its end: the focus is nowhere, or where it was first. */
  end: boolean;
  problems: string[];
}

/** What is wrong with where the focus is. What had it before is kept in the page. */
function lookAtStop(page: Page): Promise<Stop> {
  return page.evaluate((ringPx) => {
    const state = window as unknown as { stops?: Element[] };
    const stops = (state.stops ??= []);
    const named = (element: Element): string => {
      const name = element.getAttribute("data-testid") ?? element.getAttribute("aria-label") ?? element.textContent?.trim().slice(0, 40);
      return `${element.tagName.toLowerCase()} '${name}'`;
    };
    const here = document.activeElement;
    const last = stops.at(-1);
    if (!here || here === document.body || here === document.documentElement || here === stops[0]) {
      if (!last) return { end: true, problems: ["nothing takes the focus"] };
      if (!last.isConnected) return { end: true, problems: [`${named(last)} was taken away together with the focus`] };
      const takers = "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary, [tabindex='0']";
      const left = [...document.querySelectorAll<HTMLElement>(takers)].find((element) => {
        const follows = (last.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
        return follows && element.getAttribute("tabindex") !== "-1" && element.checkVisibility({ visibilityProperty: true });
      });
      return { end: true, problems: left ? [`after ${named(last)} the way ends before ${named(left)}`] : [] };
    }
    const problems: string[] = [];
    const wrong = (what: string): void => void problems.push(`${named(here)} ${what}`);
    if (stops.includes(here)) wrong("has the focus again");
    stops.push(here);

    const style = getComputedStyle(here);
    if (style.outlineStyle === "none" || Number.parseFloat(style.outlineWidth) < ringPx) {
      wrong(`has no ring: ${style.outlineWidth} ${style.outlineStyle}`);
    }

    // Of a link that is broken into lines the first.
    const box = [...here.getClientRects()].find(({ width, height }) => width > 0 && height > 0);
    if (!box) {
      wrong("has no size");
      return { end: false, problems };
    }
    const { clientWidth, clientHeight } = document.documentElement;
    const inside = (from: number, to: number, size: number): boolean =>
      to - from > size ? from < size && to > 0 : from >= -1 && to <= size + 1;
    if (!inside(box.left, box.right, clientWidth) || !inside(box.top, box.bottom, clientHeight)) {
      wrong(`is not in the window: ${[box.left, box.top, box.right, box.bottom].map(Math.round).join(" ")}`);
      return { end: false, problems };
    }
    const between = (from: number, to: number, size: number): number => (Math.max(from, 0) + Math.min(to, size)) / 2;
    const hit = document.elementFromPoint(between(box.left, box.right, clientWidth), between(box.top, box.bottom, clientHeight));
    if (!hit || !(hit.contains(here) || here.contains(hit))) wrong(`is covered by ${hit ? named(hit) : "nothing that is known"}`);
    return { end: false, problems };
  }, RING_PX);
}

for (const [size, viewport] of Object.entries(VIEWPORTS)) {
  test.describe(`by Tab, ${size}`, () => {
    test.use({ viewport });

    for (const name of KINDS) {
      test(`on ${name} each stop has a ring, is in the window, is not covered, and leads on`, async ({ page }) => {
        await open(page, PAGES[name]);
        const problems: string[] = [];
        let stops = 0;
        while (stops < STOPS_MOST) {
          await page.keyboard.press("Tab");
          const stop = await lookAtStop(page);
          problems.push(...stop.problems);
          if (stop.end) break;
          stops += 1;
        }
        expect(problems).toEqual([]);
        expect(stops, "stops on the way").toBeGreaterThan(STOPS_LEAST);
      });
    }
  });
}

test("what has the focus keeps it while commits arrive", async ({ page }) => {
  await open(page, PAGES.market);
  const fresh = (id: string) => page.getByTestId(`tile-${id}`).locator(".tile-fresh");
  const held = [
    { id: "prices", element: page.getByTestId("tile-prices").locator(".legend-item").first() },
    { id: "latest", element: page.getByTestId("table-latest").locator("button.sort").first() },
    { id: "prices", element: page.getByTestId("chart-prices") },
    { id: "latest", element: page.getByRole("region", { name: "Prices, latest first: table" }) },
  ];
  for (const { id, element } of held) {
    await element.focus();
    for (let commits = 0; commits < 2; commits += 1) {
      const shown = await textOf(fresh(id));
      await expect(fresh(id)).not.toHaveText(shown);
    }
    await expect(element).toBeFocused();
  }
});

/** What would take time to move, with what stands before and behind it. */
function motions(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const millis = (list: string): number =>
      Math.max(...list.split(",").map((one) => (Number.parseFloat(one) || 0) * (one.trim().endsWith("ms") ? 1 : 1_000)));
    const found: string[] = [];
    for (const element of document.querySelectorAll("*")) {
      for (const part of ["", "::before", "::after"]) {
        const style = getComputedStyle(element, part || null);
        const longest = Math.max(millis(style.transitionDuration), millis(style.animationDuration));
        if (longest > 1) found.push(`${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}${part}: ${longest} ms`);
      }
    }
    return found;
  });
}

test("nothing moves for those who asked for no motion", async ({ page }) => {
  test.setTimeout(120_000);
  // What moves otherwise: the line of a tile that loads, and the controls of a kiosk.
  for (const name of ["design", "market-kiosk"] as const) {
    await page.emulateMedia({ reducedMotion: "no-preference" });
    await open(page, PAGES[name]);
    expect(await motions(page), `${name}, where nobody asked`).not.toEqual([]);
    await page.emulateMedia({ reducedMotion: "reduce" });
    await expect.poll(() => motions(page), { message: name }).toEqual([]);
  }
  for (const name of KINDS) {
    await open(page, PAGES[name]);
    expect(await motions(page), name).toEqual([]);
  }
});
