// How much WebAssembly a browser downloads for each page: node wasm-size.mjs FOLDER, the folder with what `make wasm` built.
// Pages with code of their own load that beside what all have. Exits 1 above the limit.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

// For a dashboard, which needs what all pages load and nothing else; other pages may come to somewhat more with their own part.
const LIMIT_BYTES = 450_000;
const OTHER_LIMIT_BYTES = 520_000;
// The tools with which dashboards and what they measure are made: opened by those who make them, not by those who read them.
const TOOLS_LIMIT_BYTES = { editor: 770_000, explore: 600_000, semantics: 560_000 };

const folder = process.argv[2];
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;
const sizeOf = (name) => {
  const raw = readFileSync(join(folder, `${name}.wasm`));
  const options = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length };
  return brotliCompressSync(raw, { params: options }).length;
};

const common = sizeOf("tidemark");
console.log(`all pages: ${kb(common)} with brotli; the limit for a dashboard is ${kb(LIMIT_BYTES)}`);
const own = JSON.parse(readFileSync(join(folder, "__wasm_split_manifest.json"), "utf8"));
let failed = false;
const check = (page, size, limit) => {
  if (size <= limit) return;
  console.error(`${page} needs ${kb(size)}, which is ${kb(size - limit)} over the limit of ${kb(limit)}`);
  failed = true;
};
check("every page", common, LIMIT_BYTES);
for (const [page, files] of Object.entries(own)) {
  const more = files.map(sizeOf).reduce((sum, size) => sum + size, 0);
  console.log(`${page}: ${kb(more)} more`);
  check(page, common + more, TOOLS_LIMIT_BYTES[page] ?? OTHER_LIMIT_BYTES);
}
process.exit(failed ? 1 : 0);
