/** Claims about the whole table: ratios of rows of the same run, beside what they should reach. */
import { operationsOf, pointName } from "../grid.mjs";
import { geometricMean, ratioOf } from "../statistics.mjs";

const same = ["work", "cell", "hidden", "batch", "time", "threads"];
const keyOf = (row) => same.map((field) => row[field]).join(" ");
const describe = (row) => `${row.cell} ${pointName(row)}, ${row.threads} thr.`;

/** Rows without a partner say nothing; a claim without rows is not listed. */
export function claimsFromRows(rows) {
  const of = (engine, work) => rows.filter((row) => row.engine === engine && row.work === work);
  /** [row of ours, how many times as long the peer takes]. */
  const against = (ours, peer, work) => {
    const peers = new Map(of(peer, work).map((row) => [keyOf(row), row]));
    return of(ours, work).flatMap((row) => {
      const other = peers.get(keyOf(row));
      return other === undefined ? [] : [{ row, value: ratioOf(other, row) }];
    });
  };
  const native = of("recurra-native", "train");
  const wasm = of("recurra-wasm", "train");
  return [
    ...mean("training step, native / PyTorch, geometric mean", against("recurra-native", "pytorch", "train"), 2),
    ...least("training step, native / PyTorch, worst point", against("recurra-native", "pytorch", "train"), 1.1),
    ...mean("forward, native / ONNX Runtime, geometric mean", against("recurra-native", "onnxruntime", "forward"), 1.3),
    ...least("forward, native / ONNX Runtime, worst point", against("recurra-native", "onnxruntime", "forward"), 1),
    ...least(
      "streaming step, native / ONNX Runtime, worst cell",
      against("recurra-native", "onnxruntime", "stream"),
      3,
    ),
    ...least(
      "language model, native / PyTorch, tokens per second",
      against("recurra-native", "pytorch", "language"),
      1.8,
    ),
    ...least(
      "training step, WebAssembly / TensorFlow.js wasm, worst point",
      against("recurra-wasm", "tfjs-wasm", "train"),
      20,
    ),
    ...ofPeak("WebAssembly, training, hidden ≥ 256, of the 128-bit peak", wasm, (row) => row.hidden >= 256, 60),
    ...ofPeak(
      "WebAssembly, training, hidden 64–128, of the 128-bit peak",
      wasm,
      (row) => row.hidden >= 64 && row.hidden <= 128 && row.batch > 1,
      35,
    ),
    ...ofPeak("native, training, hidden ≥ 256, of the peak of the core", native, (row) => row.hidden >= 256, 60),
  ];
}

const claim = (what, value, target, unit, note) => ({
  what,
  value,
  unit,
  target: `≥ ${target}`,
  met: value >= target,
  note,
});

function mean(what, ratios, target) {
  if (ratios.length === 0) return [];
  const value = geometricMean(ratios.map(({ value }) => value));
  return [claim(what, value, target, "×", `${ratios.length} points`)];
}

function least(what, ratios, target) {
  const worst = lowest(ratios);
  return worst === undefined ? [] : [claim(what, worst.value, target, "×", describe(worst.row))];
}

/** Beside each point its fastest round over the highest peak: what neighbours of a shared machine take differs from round to round. */
function ofPeak(what, rows, wanted, target) {
  const points = rows
    .filter((row) => row.threads === 1 && wanted(row) && row.percentOfPeak !== undefined)
    .sort((a, b) => a.percentOfPeak - b.percentOfPeak);
  if (points.length === 0) return [];
  const named = points.map(
    (row) => `${row.cell} ${row.hidden}: ${row.percentOfPeak.toFixed(0)}, fastest round ${fastest(row).toFixed(0)}`,
  );
  return [claim(`${what}, worst point`, points[0].percentOfPeak, target, "%", named.join("; "))];
}

function fastest({ rounds, peaks, ...job }) {
  return (100 * operationsOf(job)) / Math.min(...rounds) / 1e6 / Math.max(...peaks) / job.threads;
}

function lowest(entries) {
  return entries.reduce(
    (worst, entry) => (worst === undefined || entry.value < worst.value ? entry : worst),
    undefined,
  );
}
