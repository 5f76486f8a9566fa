/** Where a row stands in its text file. Needed only for messages, so the file is read again, up to that row. */
import { closeSync, openSync, readSync } from "node:fs";

export interface TextShape {
  /** Undefined: quotes mean nothing, every line is a record (JSON Lines). */
  readonly delimiter: string | undefined;
  /** Records before the first row: 1 with a header. */
  readonly skipped: number;
  /** In a file of a single column an empty line is a row with a missing cell; elsewhere it is nothing. */
  readonly blankIsRow: boolean;
}

const lineFeed = 10;
const carriageReturn = 13;
const quote = 34;

/** The 1-based line on which row `row` (0-based) begins, or undefined when the file ends before it. */
export function lineOfRow(path: string, row: number, shape: TextShape): number | undefined {
  const delimiter = shape.delimiter?.charCodeAt(0);
  let recordsLeft = row + shape.skipped;
  let line = 1;
  let inQuotes = false;
  let cellStart = true;
  let startLine = 1;
  let blank = true;
  for (const bytes of chunks(path)) {
    for (const byte of bytes) {
      if (byte === lineFeed) {
        if (!inQuotes) {
          if (!blank || shape.blankIsRow) {
            if (recordsLeft === 0) return startLine;
            recordsLeft--;
          }
          startLine = line + 1;
          blank = true;
          cellStart = true;
        }
        line++;
        continue;
      }
      if (byte === carriageReturn) continue;
      blank = false;
      if (delimiter === undefined) continue;
      // A doubled quote closes and opens again, which leaves the state as it was.
      if (byte === quote && (inQuotes || cellStart)) {
        inQuotes = !inQuotes;
        cellStart = true;
      } else {
        cellStart = !inQuotes && byte === delimiter;
      }
    }
  }
  return recordsLeft === 0 && !blank ? startLine : undefined;
}

/** The 1-based number of the first line that is not JSON, or undefined. DuckDB counts one line too many at times. */
export function firstLineNotJson(path: string): number | undefined {
  const decoder = new TextDecoder();
  let line = 1;
  let rest = "";
  for (const bytes of chunks(path)) {
    const texts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = texts.pop() ?? "";
    for (const text of texts) {
      if (!isJson(text)) return line;
      line++;
    }
  }
  return isJson(rest) ? undefined : line;
}

function isJson(line: string): boolean {
  if (line.trim() === "") return true;
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

function* chunks(path: string): Generator<Uint8Array> {
  const file = openSync(path, "r");
  try {
    const buffer = new Uint8Array(1 << 16);
    for (;;) {
      const count = readSync(file, buffer);
      if (count === 0) return;
      yield buffer.subarray(0, count);
    }
  } finally {
    closeSync(file);
  }
}
