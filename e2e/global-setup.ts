import { startDemo } from "./server";

// The address reaches the tests through the environment; what is returned runs after the last of them.
export default async function setUp(): Promise<() => Promise<void>> {
  const server = await startDemo();
  process.env.TIDEMARK_URL = server.url;
  return () => server.stop();
}
