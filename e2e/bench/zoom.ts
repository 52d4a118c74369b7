// Panning and zooming over a series of ten million rows: frames a second while the wheel turns and the picture is dragged, with
// the server sending finer rows meanwhile.   npm run bench:zoom
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import { chromiumOptions, keepSpans, namesOfFunctions } from "../chromium";
import { startDemo } from "../server";
import { report } from "./report";

const SECONDS = Number(process.env.SECONDS ?? 10);
const dashboards = join(fileURLToPath(import.meta.url), "../dashboards");
const server = await startDemo(["--dashboards", dashboards]);
const browser = await chromium.launch(chromiumOptions);
try {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  await page.addInitScript(namesOfFunctions);
  await page.addInitScript(keepSpans);
  let answers = 0;
  page.on("response", (response) => {
    if (response.url().includes("/api/v1/sql") && response.ok()) answers += 1;
  });
  await page.goto(`${server.url}/dashboards/ten-million?from=2026-01-01&to=2026-01-10`);
  const ready = "[data-testid=tile-line][data-state=ready] canvas";
  await page.waitForSelector(ready, { timeout: 120_000 });
  const first = answers;
  const box = (await page.getByTestId("chart-line").locator("canvas").first().boundingBox())!;
  const [x, y] = [box.x + box.width * 0.6, box.y + box.height / 2];
  await page.evaluate(() => {
    const state = window as unknown as { frames: number[] };
    state.frames = [];
    const tick = (at: number): void => {
      state.frames.push(at);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const end = Date.now() + SECONDS * 1000;
  await page.mouse.move(x, y);
  for (let turn = 0; Date.now() < end; turn += 1) {
    // In for a while (the wheel with Control), sideways for a while (a drag with Shift), out again.
    const phase = turn % 60;
    if (phase === 0) await page.keyboard.down("Control");
    if (phase === 20) {
      await page.keyboard.up("Control");
      await page.keyboard.down("Shift");
      await page.mouse.down();
    }
    if (phase === 40) {
      await page.mouse.up();
      await page.keyboard.up("Shift");
      await page.mouse.move(x, y);
      await page.keyboard.down("Control");
    }
    if (phase >= 20 && phase < 40) await page.mouse.move(x - (phase - 20) * 12, y);
    else await page.mouse.wheel(0, phase < 20 ? -60 : 60);
    if (phase === 59) await page.keyboard.up("Control");
    await page.waitForTimeout(8);
  }
  const frames = await page.evaluate(() => (window as unknown as { frames: number[] }).frames);
  const gaps = frames.slice(1).map((at, index) => at - frames[index]!);
  gaps.sort((a, b) => a - b);
  const spans = await page.evaluate(() => (window as unknown as { spans: Record<string, number[]> }).spans);
  const drawn = spans["tidemark:draw"] ?? [];
  report(
    {
      benchmark: "zoom",
      seconds: SECONDS,
      frames_per_second: Math.round((gaps.length / gaps.reduce((sum, gap) => sum + gap, 0)) * 10_000) / 10,
      gap_p99_millis: gaps[Math.floor(gaps.length * 0.99)],
      gap_max_millis: gaps.at(-1),
      drawings: drawn.length,
      drawing_max_millis: Math.max(...drawn),
      answers_while_moving: answers - first,
    },
    { frames_per_second: { atLeast: 50 }, answers_while_moving: { atLeast: 1 } },
  );
} finally {
  await browser.close();
  await server.stop();
}
