/** What the papers say holds: examples run, snippets are the examples' own text, commands and options exist, links lead somewhere. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterEach, describe, expect, it, vi } from "vitest";
import { numberIn, runExample } from "./support/examples.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const manifest = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
const examples = readdirSync(join(root, "examples")).filter((file) => file.endsWith(".mjs"));
const pages = pagesIn("");

describe("the examples", () => {
  afterEach(() => {
    vi.doUnmock("recurra/tasks");
    vi.resetModules();
  });

  it("custom-cell.mjs teaches a cell that is not built in to remember", async () => {
    const lines = await runExample("custom-cell.mjs");
    expect(lines[0]).toMatch(/^593 parameters: 0\.mgu\.0\.forward\.W\.f, /);
    expect(numberIn(lines.at(-1), /: (\d+) of 1000/)).toBeGreaterThan(990);
  });

  it("unequal-lengths.mjs learns from batches whose padding is NaN", async () => {
    const lines = await runExample("unequal-lengths.mjs");
    expect(numberIn(lines[0], /loss ([\d.]+)/)).toBeGreaterThan(0.6);
    expect(numberIn(lines.at(-1), /^(\d+) of 500/)).toBeGreaterThan(450);
  });

  it("long-sequence.mjs trains on 10,000 steps in segments", async () => {
    const lines = await runExample("long-sequence.mjs");
    expect(numberIn(lines[4], /loss ([\d.]+)/)).toBeLessThan(0.5 * numberIn(lines[0], /loss ([\d.]+)/));
    expect(lines.at(-1)).toBe("10000 steps in 0.6 MiB: segments of 100 steps");
  });

  it("forecast.mjs trains, judges, saves, loads and predicts the year after the data", async () => {
    // Cut down: two epochs instead of all.
    vi.doMock("recurra/tasks", async (original) => {
      const tasks = await original<typeof import("recurra/tasks")>();
      const trainForecaster: typeof tasks.trainForecaster = (table, options, control) =>
        tasks.trainForecaster(table, { ...options, epochs: 2, window: "standard" }, control);
      return { ...tasks, trainForecaster };
    });
    const lines = await runExample("forecast.mjs");
    expect(lines.slice(0, 2).map((line) => line.replace(/[\d.]+$/, "…"))).toEqual([
      "epoch 1: validation loss …",
      "epoch 2: validation loss …",
    ]);
    expect(lines[2]).toMatch(/^On the test part the model /);
    const months = lines.slice(3).map((line) => /^(1984-\d\d): (\d+), probably (\d+) to (\d+)$/.exec(line)!);
    expect(months.map(([, month]) => month)).toEqual(
      Array.from({ length: 12 }, (_, i) => `1984-${String(i + 1).padStart(2, "0")}`),
    );
    for (const [, , , low, high] of months) expect(Number(low)).toBeLessThanOrEqual(Number(high));
  });

  it("stream.mjs follows two signals a step at a time and goes on from a saved state", async () => {
    const lines = await runExample("stream.mjs");
    const [, first, second] = /^after 20 steps: (\S+) and (\S+)$/.exec(lines[0]!)!;
    expect(Math.abs(Number(first) - 1)).toBeLessThan(0.5);
    expect(Math.abs(Number(second) + 1)).toBeLessThan(0.5);
    expect(lines[1]).toBe("84 bytes; the next step is the same");
  });

  it("save-model.mjs has its words and its training back from bytes", async () => {
    const lines = await runExample("save-model.mjs");
    expect(lines[0]).toMatch(/^\d+ bytes: \d+ weights, a vocabulary of 6 words$/);
    expect(numberIn(lines[1], /^film was not bad: (\d+) % good$/)).toBeGreaterThan(80);
    expect(lines[2]).toMatch(/^step 101: loss 0\.0\d+, the same behind the bytes$/);
  });

  it("print-ir.mjs prints a legal program after every pass", async () => {
    const lines = await runExample("print-ir.mjs");
    expect(lines.map((text) => /^== after: (.*)$/m.exec(text)?.[1])).toEqual([
      "trace",
      "gates side by side",
      "hoist",
      "prune",
      "gradient",
      "hoist",
      "sink",
      "prune",
      "update",
    ]);
    // Four gates, one input product for all timesteps, one weight gradient behind the backward loop.
    expect(lines[3]).toMatch(/^%\d+ = matmul .* : \[batch, time, 16\]$/m);
    expect(lines.at(-1)).toMatch(/^%\d+ = outer over \(batch, time\) .* : \[16, 3\]$/m);
  });

  it("are all run here", () => {
    expect(examples).toEqual([
      "custom-cell.mjs",
      "forecast.mjs",
      "long-sequence.mjs",
      "print-ir.mjs",
      "save-model.mjs",
      "stream.mjs",
      "unequal-lengths.mjs",
    ]);
  });

  it("import published entry points and Node only", () => {
    const { exports } = JSON.parse(read("packages/recurra/package.json")) as { exports: Record<string, unknown> };
    const published = Object.keys(exports).map((name) => name.replace(/^\./, "recurra"));
    for (const file of examples) {
      const imported = ts.preProcessFile(read(`examples/${file}`)).importedFiles.map(({ fileName }) => fileName);
      expect(imported.filter((name) => !published.includes(name) && !name.startsWith("node:"))).toEqual([]);
    }
  });

  it("fit the published types", () => {
    const source = (path: string) => [join(root, "packages/recurra/src", path)];
    const program = ts.createProgram(
      examples.map((file) => join(root, "examples", file)),
      {
        allowJs: true,
        checkJs: true,
        strict: true,
        noImplicitAny: false, // JavaScript cannot say what its parameters are.
        noEmit: true,
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext,
        allowImportingTsExtensions: true,
        skipLibCheck: true,
        types: ["node"],
        paths: { recurra: source("index.ts"), "recurra/*": source("entries/*.ts") },
      },
    );
    const diagnostics = program.getSourceFiles().flatMap((file) => {
      const isExample = file.fileName.startsWith(join(root, "examples"));
      return isExample ? ts.getPreEmitDiagnostics(program, file) : [];
    });
    const found = diagnostics.map(({ file, start, messageText }) => {
      const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
      return `${relative(root, file?.fileName ?? "")}:${line} ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
    });
    expect(found).toEqual([]);
  });
});

describe("snippets", () => {
  it("of JavaScript and TypeScript are the text of an example", () => {
    for (const page of pages) {
      for (const { language, before, text } of snippetsOf(page)) {
        if (!/^(js|mjs|ts|javascript|typescript)$/.test(language)) continue;
        const file = /<!-- from (\S+) -->$/.exec(before)?.[1];
        expect(file, `${page}: a snippet without "<!-- from examples/… -->" above it:\n${text}`).toBeDefined();
        expect(read(file!), `${page}: not the text of ${file}`).toContain(text);
      }
    }
  });

  it("of shell commands name scripts, files and options that exist", () => {
    const options = new Set(
      ["forecast", "compare", "reading"]
        .map((name) => read(`packages/cli/src/options/${name}.ts`))
        .concat(read("packages/cli/src/program.ts"), "--help --version")
        .flatMap((text) => text.match(/--[a-z-]+[a-z]/g) ?? []),
    );
    const commands = new Set(read("packages/cli/src/program.ts").match(/(?<=program, ")\w+(?=")/g));
    const scripts = new Set([...Object.keys(manifest.scripts), "ci"]);
    for (const page of pages) {
      const shell = snippetsOf(page).filter(({ language }) => language === "sh");
      for (const line of shell.flatMap(({ text }) => text.split("\n"))) {
        const command = line.replace(/#.*$/, "");
        for (const [, script] of command.matchAll(/\bnpm (?:run )?(\w+)/g))
          expect(scripts, `${page}: ${line}`).toContain(script);
        for (const [, file] of command.matchAll(/\bnode (\S+)/g))
          expect(existsSync(join(root, file!)), `${page}: ${line}`).toBe(true);
        const [, name] = /(?:^|npx )recurra (\w+)/.exec(command) ?? [];
        if (name === undefined) continue;
        expect(commands, `${page}: ${line}`).toContain(name);
        for (const flag of command.match(/(?<= )--[a-z-]+/g) ?? []) expect(options, `${page}: ${line}`).toContain(flag);
      }
    }
  });

  it("show the quickstart as it is", () => {
    const shown = snippetsOf("README.md").map(({ text }) => text.trim());
    expect(shown).toContain(manifest.scripts.quickstart);
  });
});

describe("links", () => {
  it("lead to files and headings that exist", () => {
    const broken: string[] = [];
    for (const page of pages) {
      for (const [, target] of withoutSnippets(read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue;
        const [path, anchor] = target!.split("#");
        const file = path === "" ? join(root, page) : resolve(root, dirname(page), path!);
        if (!existsSync(file)) broken.push(`${page}: ${target} is missing`);
        else if (anchor !== undefined && !(statSync(file).isFile() && anchorsOf(file).includes(anchor)))
          broken.push(`${page}: ${target} has no such heading`);
      }
    }
    expect(broken).toEqual([]);
  });

  it("are looked for in the papers of the project", () => {
    expect(pages).toEqual(expect.arrayContaining(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]));
  });
});

/** Every Markdown file below a folder; "" or "docs/". What was installed, built or trained is left out. */
function pagesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.isFile()) return entry.name.endsWith(".md") ? [folder + entry.name] : [];
    const own = entry.isDirectory() && !/^(\..*|node_modules|dist|build|runs|tmp)$/.test(entry.name);
    return own ? pagesIn(`${folder}${entry.name}/`) : [];
  });
}

/** Runs an example on the library's sources and returns what it printed. */
interface Snippet {
  readonly language: string;
  /** The line above it. */
  readonly before: string;
  readonly text: string;
}

function snippetsOf(page: string): Snippet[] {
  return [...read(page).matchAll(/(.*)\n```(\w*)\n([\s\S]*?)```/g)].map(([, before, language, text]) => ({
    language: language!,
    before: before!,
    text: text!,
  }));
}

function withoutSnippets(text: string): string {
  return text.replace(/```[\s\S]*?```/g, "").replace(/`[^`\n]*`/g, "");
}

/** The anchors GitHub makes of headings. */
function anchorsOf(file: string): string[] {
  return [...withoutSnippets(readFileSync(file, "utf8")).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
