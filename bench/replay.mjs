/** The steps of a scan, command by command, as the native kernels run them in one call (packages/native/steps.h). */

/** By program: its commands, each as a program of its own. */
const known = new WeakMap();

/**
 * `given`: what `runSteps` is given behind its handle. `run` is told of each command, {loop}, the loop's handle, or {m, n, k} of a product, whose
 * rows are those of all shards, and runs it by calling what it is given.
 */
export function replaySteps(words, [count, direction, ...given], { define, runSteps }, run = (_, call) => call()) {
  if (!known.has(words)) known.set(words, commandsOf(words, define));
  const { axes, bases, steps, moving, commands } = known.get(words);
  const sizes = given.slice(4, 4 + axes);
  const fixed = given.slice(0, 4 + axes + bases + 1);
  const position = given.slice(fixed.length);
  for (let step = 0; step < count; step++) {
    for (const { handle, loop, product } of commands) {
      const what = product === undefined ? { loop } : product(sizes, given[0]);
      run(what, () => runSteps(handle, 1, direction, ...fixed, ...position));
    }
    for (let t = steps - moving; t < steps; t++) position[t] += direction;
  }
}

function commandsOf(words, define) {
  let at = 1;
  const word = () => words[at++];
  const [axes, bases, steps, moving, count] = Array.from({ length: 5 }, word);
  const size = () => {
    const coefficient = word();
    const factors = Array.from({ length: word() }, word);
    return (sizes) => factors.reduce((value, axis) => value * sizes[axis], coefficient);
  };
  const skipMatrix = () => {
    at += 2;
    for (let i = 0; i < 2 + steps; i++) size();
  };
  const commands = Array.from({ length: count }, () => {
    const from = at;
    const command = word() === 0 ? { loop: word() } : { product: readProduct() };
    return { ...command, program: [words[0], axes, bases, steps, moving, 1, ...words.slice(from, at)] };
  });
  function readProduct() {
    for (let i = 0; i < 3; i++) skipMatrix();
    const [rows, n, k] = [size(), word(), word()];
    return (sizes, shards) => ({ m: shards * rows(sizes), n, k });
  }
  const defined = commands.map((command) => ({ ...command, handle: define(Int32Array.from(command.program)) }));
  return { axes, bases, steps, moving, commands: defined };
}
