// What a benchmark prints, and what its figures may come to.

/** Bounds of a figure, both included. */
export interface Bounds {
  atLeast?: number;
  atMost?: number;
}

/** Prints the figures as one line of JSON. Where one is out of its bounds, or none at all, that is said and the script fails. */
export function report(figures: Record<string, unknown>, bounds: Record<string, Bounds>): void {
  console.log(JSON.stringify(figures));
  for (const [name, { atLeast = -Infinity, atMost = Infinity }] of Object.entries(bounds)) {
    const figure = Number(figures[name]);
    if (figure >= atLeast && figure <= atMost) continue;
    const most = atMost < Infinity ? `at most ${atMost}` : `at least ${atLeast}`;
    console.error(`${name} is ${figures[name]} and has to be ${most}`);
    process.exitCode = 1;
  }
}
