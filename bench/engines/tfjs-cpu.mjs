/** TensorFlow.js in plain JavaScript. */
import { peers } from "./peers.mjs";
import { serveTfjs } from "./tfjs.mjs";

const tf = peers("@tensorflow/tfjs");
await tf.setBackend("cpu");
await serveTfjs(tf, "tfjs-cpu");
