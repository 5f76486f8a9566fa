/**
 * The code that is published, out of the TypeScript sources: node scripts/bundle.mjs [FOLDER]
 *
 * A file for each published entry, and for the library one for each floor or two that entries share (`dist/shared`): a program that
 * imports hundreds of small files waits longer for them than for its first model. Types are the compiler's, in `dist/types`.
 * FOLDER holds the packages `recurra` and `cli`, and is `packages` of this repository unless it is given.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const packages = resolve(process.argv[2] ?? fileURLToPath(new URL("../packages", import.meta.url)));

/** Lowest first: a file takes what lower ones have left. */
const shared = [
  ["base", /[\\/]src[\\/]base[\\/]/],
  ["network", /[\\/]src[\\/](ir|init|trace|layers)[\\/]/],
  ["engine", /[\\/]src[\\/](autodiff|optimize|backends|compile|train)[\\/]/],
  ["data", /[\\/]src[\\/]data[\\/]/],
  ["cells", /[\\/]src[\\/]cells[\\/]/],
];

const bundles = {
  recurra: {
    input: {
      index: "index.ts",
      ...Object.fromEntries(
        ["cells", "train", "tasks", "data", "formats", "inspect"].map((name) => [name, `entries/${name}.ts`]),
      ),
    },
    output: {
      chunkFileNames: "shared/[name].js",
      codeSplitting: {
        groups: shared.map(([name, test], floor) => ({ name, test, priority: shared.length - floor })),
      },
      // The sources are published beside it.
      sourcemapExcludeSources: true,
    },
  },
  cli: { input: { main: "main.ts" }, output: { chunkFileNames: "[name].js" } },
};

for (const name of Object.keys(bundles)) await bundle(name);

async function bundle(name) {
  const [source, dir] = ["src", "dist"].map((folder) => join(packages, name, folder));
  clear(dir);
  const { input, output } = bundles[name];
  const made = await rolldown({
    input: Object.fromEntries(Object.entries(input).map(([entry, file]) => [entry, join(source, file)])),
    // What is not a file of the package is found where it is installed.
    external: /^[^./\\](?!:)/,
    platform: "neutral",
    tsconfig: false,
    transform: { target: "es2022" },
    plugins: [{ name: "pure-constants", transform: (code) => ({ code: pureConstants(code), map: null }) }],
  });
  await made.write({
    dir,
    format: "es",
    sourcemap: true,
    minify: false,
    minifyInternalExports: false,
    comments: { legal: true, annotation: true, jsdoc: false },
    ...output,
  });
  await made.close();
}

/**
 * No module of ours does anything when it is loaded but make its constants (`sideEffects` in package.json). In a file of many modules the bundlers of
 * users have to be told so for each constant, or whoever uses one cell has them all.
 */
function pureConstants(code) {
  return code.replace(/^((?:export )?const [^=\n]+ = )(?=[\w.]+(?:<[^=\n]*>)?\()/gm, "$1/* @__PURE__ */ ");
}

/** Everything but the types: a file of an earlier build would be published with the rest. */
function clear(dir) {
  for (const name of existsSync(dir) ? readdirSync(dir) : []) {
    if (name !== "types") rmSync(join(dir, name), { recursive: true });
  }
}
