// How much WebAssembly a browser downloads: node wasm-size.mjs FILE. Exits 1 above the limit.
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const LIMIT_BYTES = 450_000;

const raw = readFileSync(process.argv[2]);
const compressed = brotliCompressSync(raw, {
  params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length },
});
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;
console.log(`tidemark.wasm: ${kb(raw.length)}, ${kb(compressed.length)} with brotli; the limit is ${kb(LIMIT_BYTES)}`);
if (compressed.length > LIMIT_BYTES) {
  console.error(`tidemark.wasm is ${kb(compressed.length - LIMIT_BYTES)} over the limit`);
  process.exit(1);
}
