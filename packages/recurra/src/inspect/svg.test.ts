import { describe, expect, it } from "vitest";
import { gradientFlowSvg, reachInWords } from "./svg.ts";
import type { GradientFlow, LayerFlow } from "./types.ts";

const steps = 5;
const falling = Float64Array.from({ length: steps }, (_, t) => 10 ** (t - steps + 1));
const layer: LayerFlow = {
  name: "encoder<1>",
  direction: "forward",
  steps,
  states: [{ name: "h", lossGradient: falling, reach: falling, size: falling, saturated: new Float64Array(steps) }],
  gates: [{ name: "f", mean: new Float64Array(steps).fill(0.5), closed: falling, open: falling }],
};
const flow: GradientFlow = {
  loss: 1,
  layers: [layer],
  parameters: [],
  findings: [
    { kind: "vanishing", layer: layer.name, reachSteps: 3, seen: "", mend: "", sentence: "the gradient & its end" },
  ],
};

describe("gradientFlowSvg", () => {
  const svg = gradientFlowSvg(flow);
  const lines = [...svg.matchAll(/points="([^"]*)"/g)].map(([, points]) =>
    points!.split(" ").map((point) => point.split(",").map(Number) as [number, number]),
  );

  it("draws a line for each state's gradients and each gate, a point for each step", () => {
    expect(lines.map((line) => line.length)).toEqual([steps, steps, steps]);
    // A power of ten a step is a straight line, rising to the right.
    const rises = lines[1]!.slice(1).map(([, y], i) => lines[1]![i]![1] - y);
    for (const rise of rises) expect(rise).toBeCloseTo(rises[0]!, 0);
    expect(rises[0]).toBeGreaterThan(10);
  });

  it("escapes names and sentences", () => {
    expect(svg).toContain("encoder&lt;1&gt;: gradients by step");
    expect(svg).toContain("the gradient &amp; its end");
  });

  it("leaves out what is not finite and puts zeros on the floor", () => {
    const odd = {
      ...layer,
      gates: [],
      states: [{ ...layer.states[0]!, reach: Float64Array.of(0, 1, Number.NaN, 1, 1) }],
    };
    const drawn = gradientFlowSvg({ ...flow, layers: [odd] });
    expect(drawn).not.toContain("NaN");
    expect(drawn.match(/points="([^"]*)"/g)![1]!.split(" ")).toHaveLength(4);
  });
});

describe("reachInWords", () => {
  it("is one block a step, the full one where nothing is lost", () => {
    expect(reachInWords(layer)).toBe("▄▅▆▇█");
  });
});
