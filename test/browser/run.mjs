/**
 * The same training run in Node and in Chromium, with and without shared memory: strict mode must give the same bits everywhere.
 *
 *     npm run test:browser [-- --chromium /usr/bin/chromium]
 *
 * Says so and ends when there is no Chromium.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import * as core from "recurra";
import * as cells from "recurra/cells";
import * as train from "recurra/train";
import { trainSmall } from "./job.mjs";

const { values } = parseArgs({ options: { chromium: { type: "string", default: "/usr/bin/chromium" } } });
if (!existsSync(values.chromium)) {
  console.log(`skipped: there is no Chromium at ${values.chromium}; name it with --chromium PATH`);
  process.exit(0);
}

const here = fileURLToPath(new URL(".", import.meta.url));
const dist = fileURLToPath(new URL("../../packages/recurra", import.meta.url));

/** Serves the page and the built library; with `isolated`, memory may be shared between threads. */
function serve(isolated) {
  const headers = isolated
    ? { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }
    : {};
  const server = createServer((request, response) => {
    const path = request.url.startsWith("/dist/") ? dist + request.url : here + request.url.slice(1);
    if (path.includes("..") || !existsSync(path)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { ...headers, "content-type": path.endsWith(".html") ? "text/html" : "text/javascript" });
    response.end(readFileSync(path));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

async function inChromium(isolated) {
  const server = await serve(isolated);
  try {
    const { stdout } = await promisify(execFile)(values.chromium, [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--timeout=60000",
      "--virtual-time-budget=60000",
      "--dump-dom",
      `http://127.0.0.1:${server.address().port}/page.html`,
    ]);
    const text = /<pre id="result">(.*?)<\/pre>/s.exec(stdout)?.[1] ?? "";
    return JSON.parse(text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"));
  } finally {
    server.close();
  }
}

const modules = { core, cells, train };
const node = { isolated: true, strict: await trainSmall(modules, true), fast: await trainSmall(modules, false) };
const rows = {
  [`Node ${process.version}`]: node,
  "Chromium, no shared memory": await inChromium(false),
  "Chromium, shared memory": await inChromium(true),
};
let failed = false;
for (const [where, result] of Object.entries(rows)) {
  if (result.error !== undefined) {
    failed = true;
    console.log(`${where}: ${result.error}`);
    continue;
  }
  const { strict, fast } = result;
  const same = strict.bits === node.strict.bits;
  failed ||= !same;
  console.log(
    `${where}: strict ${strict.bits} (${strict.threads} threads) ${same ? "the same bits" : "OTHER BITS"}; ${fast.kernels} ${fast.bits} (${fast.threads} threads), loss ${fast.loss}`,
  );
}
process.exitCode = failed ? 1 : 0;
