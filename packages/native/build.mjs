/** Compiles native.c, which includes the other sources, with one call of the C compiler. Without one, recurra runs on WebAssembly: this script never fails. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "native.c");
const included = ["loops.h", "blocks.h", "steps.h", "machineCode.h", "loopSteps.h", "assembler.h"].map((name) =>
  join(here, name),
);
const folder = join(here, "build");
const binary = join(folder, "recurra_native.node");
const stamp = join(folder, "built-from");

try {
  console.log(`@recurra/native: ${build()}`);
} catch (cause) {
  console.log(`@recurra/native: not built (${firstLine(String(cause))}); recurra runs on WebAssembly`);
}

function build() {
  const headers = findHeaders();
  if (headers === undefined) return "not built: no Node-API headers; recurra runs on WebAssembly";
  const options = ["-O3", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno", "-std=gnu11", "-I", headers];
  if (process.platform === "darwin") options.push("-undefined", "dynamic_lookup");
  const asked = process.env.CC === undefined || process.env.CC === "" ? [] : [process.env.CC];
  const compilers = [...asked, "cc", "gcc", "clang"];
  const sources = [source, ...included, fileURLToPath(import.meta.url)];
  const identity = [...sources.map((file) => readFileSync(file)), options.join(" "), ...asked];
  const version = createHash("sha256")
    .update(identity.join("\n"))
    .update(`${process.platform} ${process.arch}`)
    .digest("hex");
  if (existsSync(binary) && existsSync(stamp) && readFileSync(stamp, "utf8") === version) return "up to date";
  mkdirSync(folder, { recursive: true });
  // A binary of other sources would offer other functions than index.cjs expects.
  rmSync(binary, { force: true });
  rmSync(stamp, { force: true });
  const unfinished = `${binary}.${process.pid}`;
  let problem = "no C compiler (cc, gcc or clang) was found";
  for (const compiler of compilers) {
    const run = spawnSync(compiler, [...options, source, "-o", unfinished], { encoding: "utf8" });
    if (run.error !== undefined) continue;
    if (run.status === 0) {
      renameSync(unfinished, binary);
      writeFileSync(stamp, version);
      return `built with ${compiler}`;
    }
    rmSync(unfinished, { force: true });
    problem = `${compiler}: ${firstLine(run.stderr.split("\n").find((line) => line.includes("error")) ?? run.stderr)}`;
  }
  return `not built (${problem}); recurra runs on WebAssembly`;
}

/** The headers of the package, or those that lie beside this Node. */
function findHeaders() {
  const candidates = [join(dirname(process.execPath), "..", "include", "node")];
  try {
    const manifest = createRequire(import.meta.url).resolve("node-api-headers/package.json");
    candidates.unshift(join(dirname(manifest), "include"));
  } catch {
    // Not installed: the other place may have them.
  }
  return candidates.find((candidate) => existsSync(join(candidate, "node_api.h")));
}

function firstLine(text) {
  return text.trim().split("\n")[0];
}
