/** What predict, evaluate and backtest begin with: a stored model, and a table read as its training data was. */
import type { Table } from "recurra/data";
import { loadModel, type StoredModel } from "../files/model-folder.ts";
import type { Library } from "../library.ts";
import { parseReading, parseSource, type ReadingFlags, rolesOf } from "../options/reading.ts";
import { readTable } from "../read/read-table.ts";

export interface ModelFlags extends ReadingFlags {
  readonly json?: boolean;
}

export async function modelAndTable(
  model: string,
  files: readonly string[],
  flags: ModelFlags,
  { loadForecaster }: Library,
): Promise<StoredModel & { readonly table: Table }> {
  const source = parseSource(files, flags.sql);
  parseReading(flags); // refuses a wrong flag before anything is read
  const stored = loadModel(model, loadForecaster);
  const table = await readTable({
    source,
    reading: parseReading(flags, stored.reading),
    roles: rolesOf(stored.forecaster.options),
  });
  return { ...stored, table };
}
