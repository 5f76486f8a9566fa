import { describe, expect, it } from "vitest";
import { findNative, type NodeRequire } from "./native.ts";
import { notices } from "./notices.ts";

/** A require that finds the package and gets this from it. */
const giving = (content: () => unknown): (() => NodeRequire) => {
  return () => Object.assign(content, { resolve: () => "/there/index.cjs" });
};
const failing = (message: string, code: string) => () => {
  throw Object.assign(new Error(message), { code });
};
const found = { bind: () => ({}), lanes: () => 16, compilesLoops: () => true, selected: () => "avx512" };
const rebuild = "run `npm rebuild @recurra/native` where a C compiler (cc, gcc or clang) is";

describe("looking for native kernels", () => {
  it("finds them", () => {
    const { native, absence } = findNative(
      {},
      giving(() => ({ load: () => found, whyNot: () => undefined })),
    );
    expect(absence).toBeUndefined();
    expect(native).toMatchObject({ instructionSet: "avx512", loops: "compiled" });
    expect(native?.path()).toBe("/there/index.cjs");
  });

  it.each([
    [
      "refused",
      { RECURRA_NATIVE: "0" },
      giving(() => ({ load: () => found })),
      "switched off by RECURRA_NATIVE=0",
      "unset RECURRA_NATIVE to use them",
    ],
    [
      "not installed",
      {},
      giving(failing("Cannot find module '@recurra/native'\nRequire stack: …", "MODULE_NOT_FOUND")),
      "@recurra/native is not installed",
      "npm install @recurra/native",
    ],
    [
      "broken",
      {},
      giving(failing("Cannot find module './gone.cjs'", "MODULE_NOT_FOUND")),
      "@recurra/native could not be loaded: Cannot find module './gone.cjs'",
      rebuild,
    ],
    [
      "broken",
      {},
      giving(failing("Unexpected token", "ERR")),
      "@recurra/native could not be loaded: Unexpected token",
      rebuild,
    ],
    [
      "broken",
      {},
      giving(() => ({ load: () => undefined, whyNot: () => "could not be loaded: invalid ELF header" })),
      "@recurra/native: could not be loaded: invalid ELF header",
      rebuild,
    ],
  ] as const)("tells what is %s from the rest", (kind, env, makeRequire, reason, mend) => {
    expect(findNative(env, makeRequire)).toEqual({ native: undefined, absence: { kind, reason, mend } });
  });
});

describe("notices", () => {
  it("are those of this process, the same each time, and print nothing", () => {
    expect(notices()).toEqual(notices());
    for (const { text, mend } of notices()) expect([text, mend].join()).not.toMatch(/undefined|\n/);
  });
});
