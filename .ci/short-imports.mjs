// Gives the functions that the browser lends to the WebAssembly short names: node short-imports.mjs FOLDER, the folder with
// what `make wasm` built. wasm-bindgen names each by what it does and a hash, which is told twice, in the import section of
// `tidemark.wasm` and in `tidemark.js`, and by which no hash can be packed: 3 KB of what every page loads. Parts that come
// later import memory and tables alone. Run again it changes nothing.
//
// Binary format: WebAssembly Core Specification, "Modules", sections 5.5.2 and 5.5.5.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
const [wasmPath, jsPath] = ["tidemark.wasm", "tidemark.js"].map((name) => join(folder, name));
const LENT_BY = "./tidemark_bg.js";
const HEADER_BYTES = 8;
const IMPORT_SECTION = 2;

/** Reads on from a place in bytes. */
class Reader {
  constructor(bytes, at = 0) {
    Object.assign(this, { bytes, at });
  }
  byte() {
    return this.bytes[this.at++];
  }
  /** An unsigned number in LEB128. */
  number() {
    let [value, shift, byte] = [0, 0, 0];
    do {
      byte = this.byte();
      value += (byte & 127) * 2 ** shift;
      shift += 7;
    } while (byte & 128);
    return value;
  }
  name() {
    const length = this.number();
    return this.take(length).toString("utf8");
  }
  take(length) {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  limits() {
    const hasMost = this.byte() & 1;
    this.number();
    if (hasMost) this.number();
  }
  /** What an import is: function, table, memory, global or tag, by the bytes that say so. */
  described() {
    const from = this.at;
    const kind = this.byte();
    if (kind === 1) this.byte();
    if (kind === 1 || kind === 2) this.limits();
    else if (kind === 3) this.take(2);
    else if (kind === 4) this.take(1);
    if (kind === 0 || kind === 4) this.number();
    if (kind > 4) throw new Error(`tidemark.wasm imports something of kind ${kind}, which is none that is known`);
    return this.bytes.subarray(from, this.at);
  }
}

function leb(value) {
  const bytes = [];
  do {
    bytes.push((value % 128) | (value >= 128 ? 128 : 0));
    value = Math.floor(value / 128);
  } while (value > 0);
  return Buffer.from(bytes);
}

const named = (name) => Buffer.concat([leb(Buffer.byteLength(name)), Buffer.from(name)]);

/** The import section with short names; `renamed` gets each long name with its short one. */
function shortened(section, renamed) {
  const reader = new Reader(section);
  const count = reader.number();
  const parts = [leb(count)];
  for (let index = 0; index < count; index += 1) {
    const [from, name, described] = [reader.name(), reader.name(), reader.described()];
    if (from === LENT_BY && !name.startsWith("$")) renamed.set(name, renamed.get(name) ?? `$${renamed.size.toString(36)}`);
    parts.push(named(from), named(renamed.get(name) ?? name), described);
  }
  return Buffer.concat(parts);
}

// They would look for the long names.
for (const part of readdirSync(folder).filter((name) => name.endsWith(".wasm") && name !== "tidemark.wasm")) {
  if (readFileSync(join(folder, part)).includes(LENT_BY)) throw new Error(`${part} borrows from ${LENT_BY} too`);
}

const wasm = readFileSync(wasmPath);
const [reader, parts, renamed] = [new Reader(wasm, HEADER_BYTES), [wasm.subarray(0, HEADER_BYTES)], new Map()];
while (reader.at < wasm.length) {
  const id = reader.byte();
  const section = reader.take(reader.number());
  const body = id === IMPORT_SECTION ? shortened(section, renamed) : section;
  parts.push(Buffer.from([id]), leb(body.length), body);
}

let js = readFileSync(jsPath, "utf8");
for (const [long, short] of renamed) {
  const word = new RegExp(`(?<![\\w$])${long.replaceAll("$", "\\$")}(?![\\w$])`, "g");
  if (!word.test(js)) throw new Error(`tidemark.js lends nothing called ${long}`);
  // As a function, because `$` is a sign in a text to put in.
  js = js.replace(word, () => short);
}
if (renamed.size > 0) {
  writeFileSync(wasmPath, Buffer.concat(parts));
  writeFileSync(jsPath, js);
}
console.log(`${renamed.size} imports have short names`);
