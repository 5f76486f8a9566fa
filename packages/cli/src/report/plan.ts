/** What a run would take, for people. */
import type { ForecastPlan } from "recurra/tasks";
import { kernelName } from "./kernels.ts";
import { clock, counted, short, whole } from "./numbers.ts";
import { describePreparation } from "./reporter.ts";

export function describePlan(source: string, forecast: ForecastPlan): string {
  const { report, plan, sizes, stepMs, measuredSteps, stepsPerEpoch, epochMs, epochs } = forecast;
  const { multiplyAdds, segments, threads } = plan;
  const batch = Object.entries(sizes).map(([axis, size]) => `${axis} ${whole(size)}`);
  const form =
    segments === undefined
      ? "all that the gradient needs is kept"
      : `segments of ${counted(segments.length, "step")} along "${segments.axis}": the rest is computed again`;
  const rows = [
    ["batch", batch.join(", ")],
    [
      "multiply-adds",
      `${whole(multiplyAdds.perTimestep)} forward for each step of a row, ${whole(multiplyAdds.train)} a training step`,
    ],
    ["weights", `${bytes(plan.weightBytes)}, with what the optimizer keeps`],
    ["memory", `${bytes(plan.memoryBytes)}, of it ${bytes(plan.arenaBytes)} for temporaries`],
    ["form", form],
    ["kernels", `${kernelName(plan.kernels)}; ${threads === 1 ? "one thread" : `up to ${threads} threads`}`],
    [
      "a training step",
      `${short(stepMs)} ms, median of ${whole(measuredSteps)} real steps on weights that were thrown away`,
    ],
    ["an epoch", `${counted(stepsPerEpoch, "step")}, ${short(epochMs / 1000)} s, and validation`],
    ["all", `at most ${counted(epochs, "epoch")}, ${clock((epochMs * epochs) / 1000)}, and validation`],
  ];
  const width = Math.max(...rows.map(([name]) => name!.length));
  const lines = rows.map(([name, value]) => `${name!.padEnd(width)}  ${value}\n`).join("");
  return `${describePreparation(source, report, plan.parameters)}\n${lines}\nNothing was trained or written.\n`;
}

function bytes(count: number): string {
  return count < 2 ** 20 ? `${short(count / 2 ** 10)} KiB` : `${short(count / 2 ** 20)} MiB`;
}
