/** TensorFlow.js on WebAssembly. Its threads need a browser: in Node it has one. */
import { dirname } from "node:path";
import { peers } from "./peers.mjs";
import { serveTfjs } from "./tfjs.mjs";

const tf = peers("@tensorflow/tfjs");
const { setWasmPaths } = peers("@tensorflow/tfjs-backend-wasm");
setWasmPaths(`${dirname(peers.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
await tf.setBackend("wasm");
await serveTfjs(tf, "tfjs-wasm");
