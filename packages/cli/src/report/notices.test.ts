import { beforeEach, describe, expect, it } from "vitest";
import { fakeCommand } from "../../test-support/command.ts";
import { fakeIo } from "../../test-support/fakes.ts";

const cli = fakeCommand();
const { lines, run, trainInto } = cli;

describe("recurra without native kernels", () => {
  const notice = {
    kind: "no native kernels",
    text: "runs on WebAssembly, without native kernels: switched off by RECURRA_NATIVE=0",
    mend: "unset RECURRA_NATIVE to use them",
  } as const;
  const line = `note: ${notice.text} (${notice.mend})\n`;
  const count = () => cli.io.err().split(line).length - 1;

  beforeEach(() => {
    cli.library = { ...cli.library, notices: () => [notice] };
  });

  it("says so once in each run that computes", async () => {
    await trainInto("model");
    expect(cli.io.err()).toBe(line);
    for (const name of ["predict", "evaluate", "backtest"]) {
      cli.io = fakeIo();
      expect(await run(name, `${cli.folder}/model`, `${cli.folder}/data.csv`)).toBe(0);
      expect([name, count()]).toEqual([name, 1]);
      expect(cli.io.out()).not.toContain(notice.text);
    }
    cli.io = fakeIo();
    await run("show", `${cli.folder}/model`);
    expect(cli.io.err()).toBe("");
  });

  it("says so as an event with --json, and nothing with --quiet or where --strict wants none", async () => {
    await trainInto("model", "--json");
    expect(JSON.parse(lines()[0] ?? "")).toEqual({
      event: "notice",
      kind: notice.kind,
      message: notice.text,
      mend: notice.mend,
    });
    for (const flag of ["--quiet", "--strict"]) {
      cli.io = fakeIo();
      await trainInto(`model${flag}`, flag);
      expect(cli.io.err()).toBe("");
    }
  });
});
