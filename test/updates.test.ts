/** Updates of parameters: all of them read the values of before the call. */
import { describe, expect, it } from "vitest";
import type { Program } from "../packages/recurra/src/ir/nodes.ts";
import { verify } from "../packages/recurra/src/ir/verify.ts";
import { add, mul, reshape, slice } from "../packages/recurra/src/trace/operations.ts";
import { type Tensor, Trace } from "../packages/recurra/src/trace/tensor.ts";
import { expectAllClose, tolerances } from "./support/close.ts";
import { backends, feedsFor, reference } from "./support/programs.ts";

type Named = Readonly<Record<string, Tensor>>;

function updating(write: (p: Tensor, q: Tensor) => { readonly outputs?: Named; readonly updates: Named }): Program {
  const trace = new Trace();
  const { outputs = {}, updates } = write(trace.param("p", [6]), trace.param("q", [6]));
  const ids = (named: Named) => Object.fromEntries(Object.entries(named).map(([name, tensor]) => [name, tensor.id]));
  const program = { graph: trace.builder.finish(), outputs: ids(outputs), updates: ids(updates) };
  verify(program);
  return program;
}

const cases: readonly { readonly what: string; readonly program: Program }[] = [
  { what: "two parameters change places", program: updating((p, q) => ({ updates: { p: q, q: p } })) },
  {
    what: "one is computed from the other's old value",
    program: updating((p, q) => ({ updates: { p: add(p, q), q: p } })),
  },
  { what: "each is computed from both", program: updating((p, q) => ({ updates: { p: add(p, q), q: mul(p, q) } })) },
  {
    what: "an output shows the value of before",
    program: updating((p, q) => ({ outputs: { old: p }, updates: { p: mul(p, q) } })),
  },
  {
    what: "an output shows a part of the value of before",
    program: updating((p, q) => ({
      outputs: { old: slice(p, 2, 3), matrix: reshape(p, 2, 3) },
      updates: { p: mul(p, q) },
    })),
  },
  { what: "a parameter stays as it is", program: updating((p, q) => ({ updates: { p, q: add(p, q) } })) },
  {
    what: "one new value goes to both, and out",
    program: updating((p, q) => ({ outputs: { sum: add(p, q) }, updates: { p: add(p, q), q: add(p, q) } })),
  },
];

describe.each(backends)("$name", (backend) => {
  it.each(cases)("updates all parameters at once: $what", ({ program }) => {
    const feeds = feedsFor(program, {}, 3);
    expectAllClose(backend.run(program, feeds, {}), reference(program, feeds, {}), tolerances.float32);
    expect(Object.keys(program.updates).length).toBeGreaterThan(0);
  });
});
