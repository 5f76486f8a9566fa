import { describe, expect, it } from "vitest";
import { feedsFor, programOf, reference, scopeIn } from "../../../../test/support/programs.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import { convolution, convolution2d, flatten, pooling2d } from "./convolution.ts";
import { sequential } from "./layer.ts";

describe("convolution", () => {
  it("reads what lies behind a row's true length as 0", () => {
    const layer = convolution({ channels: 3, kernelSize: 3, padding: "same" });
    const program = programOf((trace) => ({
      y: layer.apply(
        trace.input("x", sequenceType(2)),
        scopeIn(trace, { time: trace.input("lengths", vectorType(1)) }).in("front"),
      ),
    }));
    const long = { batch: 1, time: 5 };
    const feeds = feedsFor(program, long, 2, { lengths: [3], seed: [1] });
    const padded = { ...feeds, x: [...Array.from(feeds.x!).slice(0, 6), Number.NaN, 1e30, Number.NaN, 4] };
    const short = { ...feeds, x: Array.from(feeds.x!).slice(0, 6) };
    expect([...reference(program, padded, long).y!.slice(0, 9)]).toEqual([
      ...reference(program, short, { batch: 1, time: 3 }).y!,
    ]);
  });

  it("makes rows of features of a sequence of images", () => {
    const front = sequential(
      convolution2d({ channels: 4, kernelSize: 3 }),
      pooling2d({ size: 2 }),
      convolution2d({ channels: 2, kernelSize: [1, 2], padding: "valid" }),
      pooling2d({ size: 2, kind: "average" }),
      flatten(),
    );
    const program = programOf((trace) => ({
      y: front.apply(trace.input("x", { axes: ["batch", "time"], shape: [9, 8, 1] }), scopeIn(trace).in("front")),
    }));
    expect(program.graph.types[program.outputs.y!]).toEqual({ axes: ["batch", "time"], shape: [2 * 1 * 2] });
    const weights = program.graph.nodes.flatMap((node) => (node.kind === "param" ? [[node.name, node.shape]] : []));
    expect(Object.fromEntries(weights)).toEqual({
      "front.0.convolution.W": [4, 9],
      "front.0.convolution.b": [4],
      "front.2.convolution.W": [2, 8],
      "front.2.convolution.b": [2],
    });
  });
});
