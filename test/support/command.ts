/** The command line on the real library, with a small file of data: made anew for each test of a file. */
import { beforeEach } from "vitest";
import { main, realLibrary } from "../../packages/cli/src/main.ts";
import { type FakeIo, fakeIo } from "../../packages/cli/test-support/fakes.ts";
import { folderWith } from "../../packages/cli/test-support/files.ts";

export const time = (t: number) => new Date(Date.UTC(2024, 0, 1, t)).toISOString().slice(0, 19).replace("T", " ");
const value = (t: number) => (20 + 5 * Math.sin((2 * Math.PI * t) / 24) + ((t * 7919) % 13) / 20).toFixed(3);
export const rows = (count: number) => Array.from({ length: count }, (_, t) => `${time(t)},${value(t)}`);
export const csv = (lines: readonly string[], header = "date,y") => `${[header, ...lines].join("\n")}\n`;
/** The lines of the good file with one of them changed; line 2 is the first row. */
export const changed = (line: number, text: string) => csv(rows(300).map((row, k) => (k === line - 2 ? text : row)));

export const small: readonly string[] = [
  ...["--target", "y", "--horizon", "6", "--past", "24", "--window", "last", "--hidden", "8", "--epochs", "2"],
  ...["--windows-per-epoch", "320"],
];

export interface RealCommand {
  /** Of the test that runs; it may put another terminal in its place. */
  io: FakeIo;
  /** Holds good.csv. */
  folder: string;
  readonly at: (name: string) => string;
  readonly run: (...argv: string[]) => Promise<number>;
  readonly told: (text: string) => string;
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it.
  readonly lastEvent: () => any;
}

export function realCommand(): RealCommand {
  const command: RealCommand = {
    io: fakeIo(),
    folder: "",
    at: (name) => `${command.folder}/${name}`,
    /** What is noticed depends on the machine of the tests. */
    run: (...argv) => main(argv, command.io, { ...realLibrary, notices: () => [] }),
    /** Without the folder, and without the note of a run whose native kernels are switched off. */
    told: (text) =>
      text
        .replace(/^note: runs on WebAssembly, without native kernels: .*\n/m, "")
        .replaceAll(`${command.folder}/`, "")
        .replaceAll(command.folder, "."),
    lastEvent: () => JSON.parse(command.io.out().trimEnd().split("\n").at(-1) ?? ""),
  };
  beforeEach(() => {
    command.folder = folderWith({ "good.csv": csv(rows(300)) });
    command.io = fakeIo();
  });
  return command;
}
