/** The packages as they are published: bundled from today's sources, packed, unpacked beside nothing but what they need, and used. */
import { execFileSync, execSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as core from "recurra";
import * as cells from "recurra/cells";
import * as train from "recurra/train";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "recurra-published-"));
const modules = join(folder, "node_modules");
const library = join(modules, "recurra");
const entries = [
  "recurra",
  ...["cells", "train", "tasks", "data", "formats", "inspect"].map((name) => `recurra/${name}`),
];

beforeAll(() => {
  const packages = join(folder, "packages");
  for (const name of ["recurra", "cli"]) {
    const kept = (path: string) => !/(^|[\\/])(dist|node_modules)([\\/]|$)/.test(path.slice(root.length));
    cpSync(join(root, "packages", name), join(packages, name), { recursive: true, filter: kept });
  }
  execFileSync(process.execPath, [join(root, "scripts/bundle.mjs"), packages]);
  install(packages, { recurra: library, cli: join(modules, "@recurra/cli") });
  // Neither the database nor what draws charts.
  symlinkSync(join(root, "node_modules/commander"), join(modules, "commander"), "junction");
  symlinkSync(join(root, "packages/native"), join(modules, "@recurra/native"), "junction");
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true }));

describe("the published library", () => {
  it("has every name of its sources, and every class under its own", async () => {
    const names = await namesOf(async (entry) => (await import(entry)) as object);
    expect(printed(`${namesOf}\nconsole.log(JSON.stringify(await namesOf((entry) => import(entry))));`)).toEqual(names);
  });

  it("has one class of error for all entries", () => {
    const code = `
      import { RecurraError } from "recurra";
      import { cellNamed } from "recurra/cells";
      import { planWindows } from "recurra/data";
      import { parseOptimizer } from "recurra/train";
      const thrownBy = (run) => { try { run(); } catch (error) { return error instanceof RecurraError && error.name; } };
      const calls = [() => cellNamed("ltsm"), () => planWindows({ series: [] }, "train", { past: 0, horizon: 1 }), () => parseOptimizer("adm")];
      console.log(JSON.stringify(calls.map(thrownBy)));`;
    expect(printed(code)).toEqual(["OptionError", "OptionError", "OptionError"]);
  });

  it("is a few files, of which reading data loads neither engine nor layers", () => {
    const files = readdirSync(join(library, "dist"), { recursive: true, encoding: "utf8" });
    expect(files.filter((file) => file.endsWith(".js")).length).toBeLessThan(20);
    expect([...loadedBy("dist/data.js")].sort()).toEqual([
      "dist/data.js",
      "dist/shared/base.js",
      "dist/shared/data.js",
    ]);
    expect(loadedBy("dist/index.js")).not.toContain("dist/shared/engine.js");
  });

  it("has types for each entry, and the sources that its maps name", () => {
    const { exports } = JSON.parse(readFileSync(join(library, "package.json"), "utf8")) as {
      exports: Record<string, { types: string; default: string }>;
    };
    expect(Object.keys(exports).map((path) => join("recurra", path).replaceAll("\\", "/"))).toEqual(entries);
    const shipped = readdirSync(join(library, "src"), { recursive: true, encoding: "utf8" });
    for (const { types } of Object.values(exports)) {
      expect(shipped).toContain(types.replace("./dist/types/", "").replace(/\.d\.ts$/, ".ts"));
    }
    const output = failed(`import { cellNamed } from "recurra/cells"; cellNamed("ltsm");`);
    const line = readFileSync(join(library, "src/base/errors.ts"), "utf8")
      .split("\n")
      .findIndex((text) => text.includes("return new OptionError("));
    expect(output).toContain(`${join(library, "src/base/errors.ts")}:${line + 1}`);
  });

  it("trains to the bits of its sources, with native kernels where they are", async () => {
    const job = join(root, "test/browser/job.mjs");
    const { trainSmall } = (await import(job)) as { trainSmall(modules: object, strict: boolean): Promise<object> };
    const code = `
      import * as core from "recurra";
      import * as cells from "recurra/cells";
      import * as train from "recurra/train";
      import { trainSmall } from ${JSON.stringify(pathToFileURL(job).href)};
      console.log(JSON.stringify(await trainSmall({ core, cells, train }, false)));
      process.exit();`;
    const { threads: _, ...result } = (await trainSmall({ core, cells, train }, false)) as Record<string, unknown>;
    expect(printed(code)).toMatchObject(result);
  });

  it("starts its threads", () => {
    const code = `
      import { dense, mse, sequenceType } from "recurra";
      import { Model } from "recurra/train";
      const layer = dense({ outputSize: 64 });
      const network = {
        inputs: { x: sequenceType(64) },
        forward: ({ x }, scope) => ({ y: layer.apply(x, scope) }),
        loss: ({ y }, { x }, scope) => mse(y, x, scope),
      };
      const model = new Model(network, { threads: 2 });
      const fed = { sizes: { batch: 64, time: 64 }, inputs: { x: new Float32Array(64 ** 3) } };
      for (let tries = 0; tries < 500 && model.threadsReady() < 2; tries++) {
        model.predict(fed);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      console.log(model.threadsReady());
      process.exit();`;
    expect(printed(code)).toBe(2);
  });

  it("gives those who bundle it one cell without the others", async () => {
    const used = join(folder, "used.mjs");
    writeFileSync(used, `import { lstm } from "recurra/cells"; console.log(lstm);`);
    const bundle = await rolldown({ input: used });
    const { output } = await bundle.generate({ format: "es" });
    expect(output[0].code).toContain('"lstm"');
    expect(output[0].code).not.toMatch(/"(gru|mgu|lstm-mogrifier|lstm-zoneout)"/);
  });
});

describe("the published command", () => {
  const run = (...argv: string[]) =>
    execFileSync(process.execPath, [join(modules, "@recurra/cli/bin/recurra.mjs"), ...argv], { encoding: "utf8" });

  it("says what it is and how it is used without the database and charts", () => {
    expect(run("--version")).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(run("train", "--help")).toContain("--horizon");
  });
});

/** Makes tarballs of the packages and unpacks them where they would be installed. */
function install(packages: string, places: Readonly<Record<string, string>>): void {
  const folders = Object.keys(places).map((name) => `./${name}`);
  const command = `npm pack --silent --ignore-scripts --no-update-notifier ${folders.join(" ")}`;
  const tarballs = execSync(command, { cwd: packages, encoding: "utf8" }).trim().split("\n");
  for (const [k, to] of Object.values(places).entries()) {
    mkdirSync(to, { recursive: true });
    execFileSync("tar", ["-xzf", tarballs[k]!, "-C", to, "--strip-components=1"], { cwd: packages });
  }
}

/** What a process of its own prints, that runs `code` beside the installed packages. */
function printed(code: string): unknown {
  const file = join(folder, "run.mjs");
  writeFileSync(file, code);
  return JSON.parse(execFileSync(process.execPath, [file], { encoding: "utf8" }));
}

function failed(code: string): string {
  const file = join(folder, "run.mjs");
  writeFileSync(file, code);
  try {
    execFileSync(process.execPath, ["--enable-source-maps", file], { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    return (error as { stderr: string }).stderr; // what execFileSync throws
  }
  throw new Error("nothing was thrown");
}

/** Written to a file and run there too: it needs nothing of this one. */
async function namesOf(load: (entry: string) => Promise<object>) {
  const names: Record<string, string[]> = {};
  for (const name of ["", "/cells", "/train", "/tasks", "/data", "/formats", "/inspect"]) {
    const all = Object.entries(await load(`recurra${name}`)) as [string, unknown][];
    const isClass = (value: unknown) => typeof value === "function" && /^class\b/.test(String(value));
    names[name] = all
      .map(([key, value]) => (isClass(value) ? `${key} ${(value as { name: string }).name}` : key))
      .sort();
  }
  return names;
}

/** The files that an entry imports, and those that they import. */
function loadedBy(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  const code = readFileSync(join(library, file), "utf8");
  for (const [, path] of code.matchAll(/^(?:import|export) (?:[^"]* from )?"(\.[^"]+)";/gm)) {
    const at = resolve(dirname(join(library, file)), path!);
    loadedBy(at.slice(library.length + 1).replaceAll("\\", "/"), found);
  }
  return found;
}
