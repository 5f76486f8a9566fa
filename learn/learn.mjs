/** One task: every model of it from every seed, and what came of it. */

/** A row for each model, its seeds one after the other. `models` chooses by name. */
export async function learn(task, { folder, seeds, limit, say = () => {}, models = () => true }) {
  const rows = [];
  for (const model of task.models.filter(({ name }) => models(name))) {
    const runs = [];
    for (const seed of seeds) runs.push(await runOf(task, model, seed, { folder, limit, say }));
    rows.push(rowOf(task, baselineOf(task, folder), model, runs));
  }
  return rows;
}

/** One model from one seed. `limit` ends it after so many seconds. */
export async function runOf(task, model, seed, { folder, limit, say = () => {} }) {
  const data = task.prepare?.(folder);
  const started = performance.now();
  const signal = limit === undefined ? undefined : AbortSignal.timeout(limit * 1000);
  const tell = (line) => say(`${task.name}, ${model.name}, seed ${seed}: ${line}`);
  const run = await model.run({ data, seed, signal, tell });
  const seconds = (performance.now() - started) / 1000;
  tell(`${task.measure} ${run.value.toPrecision(4)} after ${seconds.toFixed(1)} s`);
  return { seed, ...run, gradient: run.picture?.sentence, seconds, cutShort: signal?.aborted ?? false };
}

/** What a trivial predictor gets. */
export function baselineOf(task, folder) {
  return task.baseline(task.prepare?.(folder));
}

/** `runs` by seed, their mean, and whether the mean reaches the target. */
export function rowOf({ name, measure, better, published, target }, baseline, model, runs) {
  const mean = runs.reduce((sum, { value }) => sum + value, 0) / runs.length;
  const reached = better === "lower" ? mean <= target : mean >= target;
  const cutShort = runs.some((run) => run.cutShort);
  return {
    ...{ task: name, model: model.name, measure, better, mean, baseline, published, target, reached, cutShort, runs },
    parameters: runs[0].parameters,
    verdict: verdictOf(reached, model.fails ?? false, cutShort),
    seconds: runs.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

/** Models marked `fails` are there to be seen failing. */
function verdictOf(reached, fails, cutShort) {
  if (reached) return fails ? "reached, though known to fail" : "reached";
  if (cutShort) return "cut short";
  return fails ? "fails, as known" : "not reached";
}
