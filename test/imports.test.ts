/** The picture of the floors, held by the code: every import of the library is read, type imports too. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const packages = fileURLToPath(new URL("../packages", import.meta.url));
const library = join(packages, "recurra/src");

/** Folders of each floor, lowest first. A file imports from lower floors and from its own folder. */
const floors: readonly (readonly string[])[] = [
  ["base"],
  ["ir", "data", "init"],
  ["trace", "autodiff", "optimize", "backends/reference", "backends/wasm"],
  ["compile"],
  ["cells", "layers"],
  ["train", "formats"],
  ["inspect", "storage"],
  ["tasks"],
  ["entries", "index.ts"],
];

/** Floors of a folder's own, lowest first. */
const inside: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "backends/wasm": [["code"], ["plan"], ["memory", "emit"]],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly dynamic: boolean;
}

/** What is wrong with a set of imports, each with the path found; paths are relative to the library's sources. */
function violations(imports: readonly Import[]): string[] {
  const found: string[] = [];
  for (const { from, to, dynamic } of imports) {
    if (!to.endsWith(".ts")) {
      if (!(dynamic && from.startsWith("formats/"))) found.push(`package: ${from} → ${to}`);
      continue;
    }
    const [low, high] = placesOf(to, from);
    if (low === undefined || high === undefined) found.push(`no floor: ${from} → ${to}`);
    else if (low.folder === high.folder) continue;
    else if (low.floor > high.floor) found.push(`upward: ${from} (floor ${high.floor}) → ${to} (floor ${low.floor})`);
    else if (low.floor === high.floor) found.push(`sideways: ${from} → ${to} (both on floor ${low.floor})`);
  }
  return [...found, ...cycles(imports)];
}

interface Place {
  readonly folder: string;
  readonly floor: number;
}

/** In the house, or in the folder that both are in, where that has floors of its own. */
function placesOf(to: string, from: string): readonly [Place | undefined, Place | undefined] {
  const [low, high] = [place(to, floors), place(from, floors)];
  const own = low !== undefined && low.folder === high?.folder ? inside[low.folder] : undefined;
  if (own === undefined) return [low, high];
  const below = own.map((folders) => folders.map((folder) => `${low!.folder}/${folder}`));
  return [place(to, below), place(from, below)];
}

function place(file: string, among: typeof floors): Place | undefined {
  for (const [floor, folders] of among.entries()) {
    for (const folder of folders) if (file === folder || file.startsWith(`${folder}/`)) return { folder, floor };
  }
  return undefined;
}

function cycles(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of imports) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    const seen = path.indexOf(file);
    if (seen >= 0) {
      found.push(`circular: ${[...path.slice(seen), file].join(" → ")}`);
      return;
    }
    if (done.has(file)) return;
    for (const other of next.get(file) ?? []) visit(other, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return found;
}

/** Every import of the sources below `folder`, relative ones resolved to a path relative to it. */
function importsBelow(folder: string): Import[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !/\.(test|bench)\.ts$/.test(file),
  );
  return files.flatMap((file) => importsOf(join(folder, file), folder));
}

function importsOf(path: string, folder: string): Import[] {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (name: string, dynamic: boolean) => {
    const to = name.startsWith(".") ? relative(folder, resolve(dirname(path), name)) : name;
    found.push({ from: relative(folder, path), to, dynamic });
  };
  const walk = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      if (ts.isStringLiteral(node.moduleSpecifier)) add(node.moduleSpecifier.text, false);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [name] = node.arguments;
      add(name !== undefined && ts.isStringLiteral(name) ? name.text : "(a computed name)", true);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      if (ts.isStringLiteral(node.argument.literal)) add(node.argument.literal.text, false);
    }
    ts.forEachChild(node, walk);
  };
  walk(source);
  return found;
}

describe("imports of the library", () => {
  const imports = importsBelow(library);

  it("are found", () => {
    expect(imports.length).toBeGreaterThan(100);
    expect(imports).toContainEqual({ from: "ir/shapes.ts", to: "base/shapes.ts", dynamic: false });
  });

  it("go downwards, never up, sideways, in a circle or to a package", () => {
    expect(violations(imports)).toEqual([]);
  });
});

describe("the judge of imports", () => {
  const from = (file: string, to: string, dynamic = false): Import => ({ from: file, to, dynamic });

  it("lets a file import from lower floors and its own folder", () => {
    expect(violations([from("train/a.ts", "train/b.ts"), from("train/b.ts", "autodiff/gradient.ts")])).toEqual([]);
  });

  it("knows the floors within a folder", () => {
    const wasm = (path: string) => `backends/wasm/${path}`;
    expect(violations([from(wasm("emit/a.ts"), wasm("plan/b.ts")), from("compile/a.ts", wasm("emit/a.ts"))])).toEqual(
      [],
    );
    expect(violations([from(wasm("plan/a.ts"), wasm("emit/b.ts"))])).toEqual([
      "upward: backends/wasm/plan/a.ts (floor 1) → backends/wasm/emit/b.ts (floor 2)",
    ]);
    expect(violations([from(wasm("memory/a.ts"), wasm("emit/b.ts"))])).toEqual([
      "sideways: backends/wasm/memory/a.ts → backends/wasm/emit/b.ts (both on floor 2)",
    ]);
    expect(violations([from(wasm("a.ts"), wasm("plan/b.ts"))])).toEqual([
      "no floor: backends/wasm/a.ts → backends/wasm/plan/b.ts",
    ]);
  });

  it("finds upward, sideways, circular and package imports, and files on no floor", () => {
    expect(violations([from("base/a.ts", "ir/b.ts")])).toEqual(["upward: base/a.ts (floor 0) → ir/b.ts (floor 1)"]);
    expect(violations([from("backends/wasm/a.ts", "backends/reference/b.ts")])).toEqual([
      "sideways: backends/wasm/a.ts → backends/reference/b.ts (both on floor 2)",
    ]);
    expect(violations([from("ir/a.ts", "ir/b.ts"), from("ir/b.ts", "ir/c.ts"), from("ir/c.ts", "ir/a.ts")])).toEqual([
      "circular: ir/a.ts → ir/b.ts → ir/c.ts → ir/a.ts",
    ]);
    expect(violations([from("data/a.ts", "node:fs"), from("formats/a.ts", "node:fs")])).toEqual([
      "package: data/a.ts → node:fs",
      "package: formats/a.ts → node:fs",
    ]);
    expect(violations([from("formats/a.ts", "node:fs", true)])).toEqual([]);
    expect(violations([from("misc/a.ts", "base/b.ts")])).toEqual(["no floor: misc/a.ts → base/b.ts"]);
  });
});

describe("imports of the command line", () => {
  it("reach the library through its published entry points only", () => {
    const manifest = JSON.parse(readFileSync(join(packages, "recurra/package.json"), "utf8")) as {
      exports: Record<string, unknown>;
    };
    const published = new Set(Object.keys(manifest.exports).map((name) => name.replace(/^\./, "recurra")));
    const wrong = importsBelow(join(packages, "cli/src"))
      .filter(({ to }) => (to.startsWith("..") && !to.startsWith("../package")) || /^recurra(\/|$)/.test(to))
      .filter(({ to }) => !published.has(to));
    expect(wrong).toEqual([]);
  });
});
