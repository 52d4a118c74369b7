// How much WebAssembly a browser downloads for each page: node wasm-size.mjs FOLDER, the folder with what `make wasm` built.
// Pages with code of their own load that beside what all have. Exits 1 above the limit.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

const LIMIT_BYTES = 450_000;

const folder = process.argv[2];
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;
const sizeOf = (name) => {
  const raw = readFileSync(join(folder, `${name}.wasm`));
  const options = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length };
  return brotliCompressSync(raw, { params: options }).length;
};

const common = sizeOf("tidemark");
console.log(`all pages: ${kb(common)} with brotli; the limit for a page is ${kb(LIMIT_BYTES)}`);
const own = JSON.parse(readFileSync(join(folder, "__wasm_split_manifest.json"), "utf8"));
let most = common;
for (const [page, files] of Object.entries(own)) {
  const more = files.map(sizeOf).reduce((sum, size) => sum + size, 0);
  console.log(`${page}: ${kb(more)} more`);
  most = Math.max(most, common + more);
}
if (most > LIMIT_BYTES) {
  console.error(`a page needs ${kb(most)}, which is ${kb(most - LIMIT_BYTES)} over the limit`);
  process.exit(1);
}
