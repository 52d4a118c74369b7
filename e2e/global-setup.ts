import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startDemo } from "./server";

const dashboards = join(fileURLToPath(import.meta.url), "../dashboards");

// The address reaches the tests through the environment; what is returned runs after the last of them.
export default async function setUp(): Promise<() => Promise<void>> {
  const server = await startDemo(["--dashboards", dashboards]);
  process.env.TIDEMARK_URL = server.url;
  return () => server.stop();
}
