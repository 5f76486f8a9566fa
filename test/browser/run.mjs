/**
 * The same training run in Node and in Chromium, with and without shared memory: strict mode must give the same bits everywhere.
 *
 *     npm run test:browser [-- --chromium /usr/bin/chromium]
 *
 * Says so and ends when there is no Chromium.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as core from "recurra";
import * as cells from "recurra/cells";
import * as train from "recurra/train";
import { runPage } from "./chromium.mjs";
import { trainSmall } from "./job.mjs";

const { values } = parseArgs({ options: { chromium: { type: "string", default: "/usr/bin/chromium" } } });
if (!existsSync(values.chromium)) {
  console.log(`skipped: there is no Chromium at ${values.chromium}; name it with --chromium PATH`);
  process.exit(0);
}

const folder = fileURLToPath(new URL(".", import.meta.url));
const inChromium = (isolated) => runPage({ chromium: values.chromium, folder, page: "page.html", isolated });

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
