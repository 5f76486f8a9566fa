/** Running an example as a user would, and reading what it prints. */
import { fileURLToPath } from "node:url";
import { vi } from "vitest";

/** The lines that examples/… prints. Each file runs once: modules are kept, unless the test resets them. */
export async function runExample(file: string): Promise<string[]> {
  const log = vi.mocked(console.log).mockImplementation(() => {});
  try {
    await import(/* @vite-ignore */ fileURLToPath(new URL(`../../examples/${file}`, import.meta.url)));
    return log.mock.calls.map((words) => words.join(" "));
  } finally {
    log.mockClear();
  }
}

/** The first group of a pattern as a number, NaN where it does not match. */
export function numberIn(line: string | undefined, pattern: RegExp): number {
  return Number(pattern.exec(line ?? "")?.[1] ?? Number.NaN);
}
