/** In a process of its own, as `compile` starts it: milliseconds until a new model has taken its first training step, or predicted. */
import { compiledModel } from "./compiledModel.mjs";

const { readyMs } = compiledModel(process.argv[2]);
console.log(readyMs);
