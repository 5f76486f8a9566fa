/** The steps of a scan, command by command, as the native kernels run them in one call (packages/native/steps.h). */

/** `given`: what `runSteps` is given behind its handle. */
export function replaySteps(words, [count, direction, ...given], { gemm, runLoops }) {
  let at = 1;
  const word = () => words[at++];
  const [axes, bases, steps, moving, commands] = Array.from({ length: 5 }, word);
  const sizes = given.slice(0, axes);
  const base = [0, ...given.slice(axes, axes + bases)];
  const fixed = given.slice(0, axes + bases + 1);
  const position = given.slice(axes + bases + 1);
  const size = () => {
    let value = word();
    for (let factors = word(); factors > 0; factors--) value *= sizes[word()];
    return value;
  };
  const matrix = () => {
    const address = base[word()] + word();
    const [row, start, ...strides] = Array.from({ length: 2 + steps }, size);
    const place = () => address + 4 * strides.reduce((sum, stride, t) => sum + stride * position[t], start);
    return { row, place };
  };
  const runs = Array.from({ length: commands }, () => {
    if (word() === 0) {
      const loop = word();
      return () => runLoops(loop, 1, ...fixed, ...position);
    }
    const [a, packed, c] = [matrix(), matrix(), matrix()];
    const [rows, n, k] = [size(), word(), word()];
    return () => gemm(a.place(), a.row, packed.place(), c.place(), c.row, rows, n, k, 0);
  });
  for (let step = 0; step < count; step++) {
    for (const run of runs) run();
    for (let t = steps - moving; t < steps; t++) position[t] += direction;
  }
}
