/** Why a network learns or fails, by the gradient that flows back through it. */
import { gradientFlowSvg, inspectGradients, reachInWords } from "recurra/inspect";

/** The finding in words, and the picture as SVG. */
export function picture(model, batch) {
  const flow = inspectGradients(model, batch);
  return {
    sentence: `${flow.findings[0].sentence} From the last step to the first: ${reachInWords(flow.layers[0], 24)}`,
    kind: flow.findings[0].kind,
    svg: gradientFlowSvg(flow),
  };
}
