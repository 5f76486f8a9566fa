/** What does a second thread bring? One model with it and one without, in turns, at every point of the grid. */
import { cells, points } from "../grid.mjs";
import { togetherGains } from "../peaks/together.mjs";
import { median } from "../statistics.mjs";
import { nativeIsOff, trainingRun } from "./side-by-side.mjs";

const [rounds, turnMs] = [5, 40];

export async function measure() {
  const machine = Object.entries((await togetherGains()) ?? {}).map(([kind, value]) => ({
    what: `2 threads / 1, the machine itself, ${limits[kind]}`,
    value,
    unit: "×",
  }));
  const gains = [];
  for (const point of points.filter(({ hidden }) => !nativeIsOff || hidden <= 512)) {
    for (const cell of cells) gains.push(...(await gainsAt({ ...point, cell })));
  }
  const claims = ["train", "forward"].flatMap((work) => {
    const own = gains.filter((gain) => gain.work === work);
    return [
      atLeast(`2 threads / 1, ${work}, batch ≥ 32, hidden ≥ 128, worst point`, own.filter(isLarge), 1.8),
      // Within the noise of two timings.
      atLeast(`2 threads / 1, ${work}, anywhere, worst point`, own, 0.97),
    ];
  });
  return [...machine, ...claims];
}

const limits = { multiplyAdds: "multiply-adds in registers", reading: "reading 16 MiB of weights each" };

const isLarge = ({ batch, hidden }) => batch >= 32 && hidden >= 128;

async function gainsAt(point) {
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
    const ratios = [];
    for (let round = 0; round < rounds; round++) {
      const [one, two] = runs.map(turn);
      ratios.push(one / two);
      await pause(1);
    }
    gains.push({ ...point, work, gain: median(ratios) });
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
  const named = sorted.map(({ cell, hidden, batch, gain }) => `${cell} ${hidden}x${batch} ${gain.toFixed(2)}`);
  const value = sorted[0].gain;
  return { what, value, unit: "×", target: `≥ ${target}`, met: value >= target, note: named.join(", ") };
}
