/** A folder of small files for one test, removed after it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { withDatabase } from "../src/read/duckdb.ts";

/** Returns the path of the folder. */
export function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), "recurra-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

export async function writeParquet(path: string, query: string): Promise<void> {
  await withDatabase(async (database) => {
    await database.run(`COPY (${query}) TO '${path}' (FORMAT parquet)`);
  });
}

/** The message of the error that `work` ends with, with the folder's path left out. */
export async function messageOf(folder: string, work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`.replaceAll(`${folder}/`, ""); // everything thrown here is an Error
  }
  return "no error";
}
