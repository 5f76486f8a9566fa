/**
 * In a process of its own, as `compile` starts it: milliseconds to import the library, and from then until a new model has taken its
 * first training step, or predicted.
 */
const start = performance.now();
await Promise.all([import("recurra"), import("recurra/cells"), import("recurra/train")]);
const importMs = performance.now() - start;
const { compiledModel } = await import("./compiledModel.mjs");
const { readyMs } = compiledModel(process.argv[2]);
console.log(JSON.stringify({ importMs, readyMs }));
