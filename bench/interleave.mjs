/** One job on every engine: checked against the reference, then timed in rounds of ours, peer, ours, peer, each turn beside the peak of that moment. */
import { operationsOf } from "./grid.mjs";
import { referenceOf } from "./reference.mjs";
import { median, summary } from "./statistics.mjs";

/** Float32 against float64 over a few hundred sums: relative to the largest number of a result. */
const tolerance = 1e-3;

const references = new Map();

/**
 * Rows for the table, and notes about engines that could not take part. `subjects` are started engines, `meters` (of peaks/peaks.mjs)
 * say what a core can do while they run. An engine whose single run takes longer than `budgetMs` gets fewer rounds.
 */
export async function measureJob(job, subjects, meters, { rounds, budgetMs }) {
  const expected = referenceFor(job);
  const notes = [];
  const ready = [];
  for (const subject of subjects) {
    const answer = await subject.ask({ job });
    const problem = answer.refused ?? answer.failed ?? difference(answer.checked, expected);
    if (problem === undefined)
      ready.push({ subject, about: answer.about, milliseconds: [], rounds: [], peaks: [], busy: [], turns: 0 });
    else notes.push({ engine: subject.name, ...job, problem: problem.split("\n")[0] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const entry of ready) {
      if (entry.dropped || isSpent(entry, budgetMs, round)) continue;
      const meter = entry.subject.name === "recurra-wasm" ? meters.simd128 : meters.native;
      const before = meter?.();
      const answer = await entry.subject.ask({ budgetMs, most: 200 });
      if (answer.milliseconds === undefined) {
        entry.dropped = true;
        notes.push({ engine: entry.subject.name, ...job, problem: (answer.failed ?? "no answer").split("\n")[0] });
      } else {
        entry.milliseconds.push(...answer.milliseconds);
        entry.rounds[round] = median(answer.milliseconds);
        if (meter !== undefined) entry.peaks[round] = (before + meter()) / 2;
        entry.busy.push(answer.busy);
        entry.turns++;
      }
    }
  }
  const rows = ready.filter(({ milliseconds }) => milliseconds.length > 0).map((entry) => rowOf(job, entry));
  return { rows, notes };
}

/** An engine that needs many budgets for a run is asked once or twice, not in every round. */
function isSpent({ milliseconds, turns }, budgetMs, round) {
  if (round === 0 || turns === 0) return false;
  const longest = Math.max(...milliseconds);
  return (longest > 20 * budgetMs && turns >= 1) || (longest > 5 * budgetMs && turns >= 3);
}

function rowOf(job, { subject, about, milliseconds, rounds, peaks, busy }) {
  const timing = summary(milliseconds);
  const compared = about.unchecked === undefined;
  const rate = (ms) => operationsOf(job) / ms / 1e6;
  const shares = rounds.map((ms, round) => (100 * rate(ms)) / peaks[round] / job.threads);
  return {
    ...job,
    engine: subject.name,
    version: subject.version,
    ...timing,
    rounds,
    peaks,
    gflops: compared ? rate(timing.medianMs) : undefined,
    percentOfPeak: compared && peaks.length > 0 ? median(shares) : undefined,
    processorsBusy: median(busy),
    ...(job.work === "language" ? { tokensPerSecond: ((job.batch * job.time) / timing.medianMs) * 1000 } : {}),
    ...about,
  };
}

function referenceFor(job) {
  const { threads: _, ...work } = job;
  const key = JSON.stringify(work);
  if (!references.has(key)) references.set(key, referenceOf(job));
  return references.get(key);
}

/** What is wrong, or undefined. Names that the reference does not have, or the engine does not give, are not compared. */
export function difference(given, expected) {
  for (const [name, value] of Object.entries(given)) {
    if (expected[name] === undefined) continue;
    const [own, right] = [[value].flat(), [expected[name]].flat(Number.POSITIVE_INFINITY)].map((list) => [...list]);
    const wanted = right.length === 1 && ArrayBuffer.isView(right[0]) ? [...right[0]] : right;
    const scale = Math.max(...wanted.map(Math.abs));
    // Rows repeat: output k is that of row k modulo the rows that differ.
    const worst = own.findIndex((x, k) => !(Math.abs(x - wanted[k % wanted.length]) <= tolerance * scale));
    if (worst !== -1)
      return `wrong: ${name}[${worst}] is ${own[worst]}, the reference says ${wanted[worst % wanted.length]}`;
  }
  return undefined;
}
