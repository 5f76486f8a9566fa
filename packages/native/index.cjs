"use strict";
/** Loads the compiled kernels when they are there and says why when they are not. CommonJS, so that it loads synchronously. */

const { existsSync } = require("node:fs");
const { join } = require("node:path");

const binary = join(__dirname, "build", "recurra_native.node");

let loaded;
let reason;
let reasonNow;

function load() {
  if (process.env.RECURRA_NATIVE === "0") {
    reasonNow = "switched off by RECURRA_NATIVE=0";
    return undefined;
  }
  if (loaded === undefined && reason === undefined) {
    try {
      if (existsSync(binary)) loaded = wrap(require(binary));
      else reason = "not built";
    } catch (cause) {
      reason = `could not be loaded: ${cause instanceof Error ? cause.message : String(cause)}`;
    }
  }
  reasonNow = reason;
  return loaded;
}

function wrap(addon) {
  const wanted = process.env.RECURRA_NATIVE;
  if (wanted !== undefined && addon.instructionSets.includes(wanted)) addon.select(wanted);
  return {
    ...addon,
    bind(memory) {
      const bound = addon.bind(new Uint8Array(memory.buffer));
      return { ...bound, rebind: () => bound.rebind(new Uint8Array(memory.buffer)) };
    },
  };
}

exports.load = load;
exports.whyNot = () => reasonNow;
