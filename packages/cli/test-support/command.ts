/** The command line on stand-ins for terminal and library, with a small file of data: made anew for each test of a file. */
import { beforeEach } from "vitest";
import { runProgram } from "../src/program.ts";
import { type FakeIo, type FakeLibrary, fakeIo, fakeLibrary } from "./fakes.ts";
import { folderWith } from "./files.ts";

const csv = `date,OT\n${Array.from({ length: 48 }, (_, k) => `2016-07-0${1 + Math.floor(k / 24)} ${String(k % 24).padStart(2, "0")}:00:00,${k}`).join("\n")}\n`;

export interface FakeCommand {
  /** Of the test that runs; it may put another terminal or library in its place. */
  io: FakeIo;
  library: FakeLibrary;
  /** Holds data.csv. */
  folder: string;
  readonly run: (...argv: string[]) => Promise<number>;
  /** Trains on data.csv and saves under this name in the folder. */
  readonly trainInto: (name: string, ...more: string[]) => Promise<number>;
  /** Of standard output. */
  readonly lines: () => string[];
  /** Without the path of the folder. */
  readonly told: (text: string) => string;
}

export function fakeCommand(): FakeCommand {
  const command: FakeCommand = {
    io: fakeIo(),
    library: fakeLibrary(),
    folder: "",
    run: (...argv) => runProgram(argv, command),
    trainInto: (name, ...more) => {
      const { folder } = command;
      const data = ["--target", "OT", "--horizon", "24", "--out", `${folder}/${name}`];
      return command.run("train", `${folder}/data.csv`, ...data, ...more);
    },
    lines: () => command.io.out().trimEnd().split("\n"),
    told: (text) => text.replaceAll(`${command.folder}/`, ""),
  };
  beforeEach(() => {
    command.folder = folderWith({ "data.csv": csv });
    command.io = fakeIo();
    command.library = fakeLibrary();
  });
  return command;
}
