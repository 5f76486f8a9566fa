/** One task: every model of it from every seed, and what came of it. */

/**
 * A row for each model: `runs` by seed, their mean, and whether the mean reaches the target. `limit` ends each run after so many
 * seconds.
 */
export async function learn(task, { folder, seeds, limit, say = () => {}, models = () => true }) {
  const data = task.prepare?.(folder);
  const baseline = task.baseline(data);
  const rows = [];
  for (const model of task.models.filter(({ name }) => models(name))) {
    const runs = [];
    for (const seed of seeds) {
      const started = performance.now();
      const signal = limit === undefined ? undefined : AbortSignal.timeout(limit * 1000);
      const tell = (line) => say(`${task.name}, ${model.name}, seed ${seed}: ${line}`);
      const run = await model.run({ data, seed, signal, tell });
      const seconds = (performance.now() - started) / 1000;
      runs.push({ seed, ...run, seconds, cutShort: signal?.aborted ?? false });
      tell(`${task.measure} ${run.value.toPrecision(4)} after ${seconds.toFixed(1)} s`);
    }
    rows.push(rowOf(task, baseline, model, runs));
  }
  return rows;
}

function rowOf({ name, measure, better, published, target }, baseline, model, runs) {
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
