/** Where results are kept: one file a run, and latest.json, which holds the newest row of everything that was measured. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { claimsFromRows } from "./claims/fromRows.mjs";

export const resultsFolder = fileURLToPath(new URL("results/", import.meta.url));

/**
 * With `add`, rows, claims and the ladder that latest.json has and this run did not measure stay in it. Claims about peers follow from all rows that
 * are in the file then.
 */
export function writeResults(document, { folder = resultsFolder, add = false } = {}) {
  mkdirSync(folder, { recursive: true });
  const latest = join(folder, "latest.json");
  const before =
    add && existsSync(latest) ? JSON.parse(readFileSync(latest, "utf8")) : { rows: [], claims: [], ladder: [] };
  const own = join(folder, `${document.date.replaceAll(/[:.]/g, "-")}.json`);
  writeFileSync(own, `${JSON.stringify(document, null, 1)}\n`);
  const rows = merged(before.rows, document.rows, rowKey);
  const measured = merged(before.claims, document.claims, ({ what }) => what).filter(
    ({ claim }) => claim !== undefined,
  );
  const joined = {
    ...document,
    rows,
    claims: [...claimsFromRows(rows), ...measured],
    ladder: document.ladder.length > 0 ? document.ladder : before.ladder,
  };
  writeFileSync(latest, `${JSON.stringify(joined, null, 1)}\n`);
  return { latest, own, joined };
}

export function rowKey({ work, cell, hidden, batch, time, threads, engine }) {
  return [work, cell, hidden, batch, time, threads, engine].join(" ");
}

function merged(before, now, keyOf) {
  const rows = new Map([...before, ...now].map((row) => [keyOf(row), row]));
  return [...rows.values()];
}
