/** What does a second thread bring? One model with it and one without, in turns, at every point of the grid. */
import { cells, points } from "../grid.mjs";
import { startTogether } from "../peaks/together.mjs";
import { median } from "../statistics.mjs";
import { nativeIsOff, trainingRun } from "./side-by-side.mjs";

const [rounds, turnMs] = [5, 40];

export async function measure() {
  const machine = startTogether();
  const ofMachine = machine === undefined ? [] : await claimsOf(machine);
  const gains = [];
  for (const point of points.filter(({ hidden }) => !nativeIsOff || hidden <= 512)) {
    for (const cell of cells) gains.push(...(await gainsAt({ ...point, cell }, machine)));
  }
  await machine?.stop();
  const claims = ["train", "forward"].flatMap((work) => {
    const own = gains.filter((gain) => gain.work === work);
    const large = own.filter(isLarge);
    const ofAllowed = large.map((gain) => ({ ...gain, gain: gain.gain / gain.allowed, allowed: undefined }));
    return [
      atLeast(`2 threads / 1, ${work}, batch ≥ 32, hidden ≥ 128, worst point`, large, 1.8),
      ...(machine === undefined
        ? []
        : [atLeast(`the same of what the machine gave in these seconds, ${work}, worst point`, ofAllowed, 0.9)]),
      // Within the noise of two timings.
      atLeast(`2 threads / 1, ${work}, anywhere, worst point`, own, 0.97),
    ];
  });
  return [...ofMachine, ...claims];
}

const limits = { multiplyAdds: "multiply-adds in registers", reading: "reading 16 MiB of weights each" };

async function claimsOf(machine) {
  const claims = [];
  for (const [kind, title] of Object.entries(limits)) {
    const found = [];
    for (let round = 0; round < 15; round++) found.push(await machine.gain(kind, 30));
    claims.push({ what: `2 threads / 1, the machine itself, ${title}`, value: median(found), unit: "×" });
  }
  return claims;
}

const isLarge = ({ batch, hidden }) => batch >= 32 && hidden >= 128;

/** Each with what the machine allows between its turns: two threads over one of multiply-adds in registers. */
async function gainsAt(point, machine) {
  const [alone, together] = [1, 2].map((threads) => trainingRun({ ...point, threads }));
  const works = {
    train: [alone.run, together.run],
    forward: [alone, together].map(
      ({ model, fed }) =>
        () =>
          model.predict(fed),
    ),
  };
  const gains = [];
  for (const [work, runs] of Object.entries(works)) {
    await warmUp(runs);
    const [ratios, allowed] = [[], []];
    for (let round = 0; round < rounds; round++) {
      const [one, two] = runs.map(turn);
      ratios.push(one / two);
      await pause(1);
      if (machine !== undefined) allowed.push(await machine.gain("multiplyAdds", 15));
    }
    gains.push({ ...point, work, gain: median(ratios), allowed: allowed.length > 0 ? median(allowed) : undefined });
  }
  return gains;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Workers compile when their message arrives, and the rule that chooses between one and two threads (compile/pace.ts) has made its first
 * tries behind seven calls, however long those take.
 */
async function warmUp(runs) {
  const begin = performance.now();
  for (let step = 0; step < 8 || (step < 12 && performance.now() - begin < 1500); step++) {
    for (const run of runs) run();
    await pause(2);
  }
}

/** The median of its runs, after one that is not counted. */
function turn(run) {
  run();
  const times = [];
  const begin = performance.now();
  do {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  } while (performance.now() - begin < turnMs);
  return median(times);
}

function atLeast(what, gains, target) {
  const sorted = [...gains].sort((a, b) => a.gain - b.gain);
  const named = sorted.map(
    ({ cell, hidden, batch, gain, allowed }) =>
      `${cell} ${hidden}x${batch} ${gain.toFixed(2)}${allowed === undefined ? "" : ` (machine ${allowed.toFixed(2)})`}`,
  );
  const value = sorted[0].gain;
  return { what, value, unit: "×", target: `≥ ${target}`, met: value >= target, note: named.join(", ") };
}
