/** The packages of bench/peers. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const manifest = new URL("../peers/package.json", import.meta.url);

export const peers = createRequire(manifest);

export function versionOf(name) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, manifest), "utf8")).version;
}
