/** What inspection gives: plain data. */

export interface StateFlow {
  /** As the cell names it: "h", "c". */
  readonly name: string;
  /** ‖∂L/∂h_t‖ for t = 0 … T−1, over all rows and features. */
  readonly lossGradient: Float64Array;
  /**
   * ‖∂h_T/∂h_t‖ for t = 0 … T−1: by how much a gradient that arrives at the last state of the recurrence has grown or shrunk when
   * it reaches step t, as a root mean square over random directions and all rows; 1 at the last step.
   */
  readonly reach: Float64Array;
  /** Root mean square of h_t. */
  readonly size: Float64Array;
  /** Share of values beyond ±0.97, where tanh hardly passes a gradient. */
  readonly saturated: Float64Array;
}

export interface GateFlow {
  /** As its weights are called: "f" for a gate of W.f. */
  readonly name: string;
  /** Mean over rows and features, by step. */
  readonly mean: Float64Array;
  /** Share of values below 0.05, and above 0.95. */
  readonly closed: Float64Array;
  readonly open: Float64Array;
}

export interface LayerFlow {
  /** What the names of its weights have in common: "0.lstm.0.forward". */
  readonly name: string;
  /** A backward recurrence ends at step 0: its last state is the one there. */
  readonly direction: "forward" | "backward";
  readonly steps: number;
  readonly states: readonly StateFlow[];
  readonly gates: readonly GateFlow[];
}

export interface ParameterFlow {
  readonly name: string;
  /** ‖W‖ and ‖∂L/∂W‖ (Frobenius). */
  readonly weightNorm: number;
  readonly gradientNorm: number;
  /** ∂L/∂W, row-major. */
  readonly gradient: Float32Array;
}

export interface GradientFlow {
  readonly loss: number;
  readonly layers: readonly LayerFlow[];
  readonly parameters: readonly ParameterFlow[];
  /** What the numbers say, in words; worst first. */
  readonly findings: readonly Finding[];
}

export interface Finding {
  readonly kind: "vanishing" | "exploding" | "not finite" | "saturated" | "healthy";
  /** The recurrence it is about. */
  readonly layer: string;
  /** How far the gradient reaches, counted from the end: the steps over which it keeps a hundredth of itself. */
  readonly reachSteps: number;
  /** "the gradient reaching step 1 is …." */
  readonly seen: string;
  /** "Try lstm or gru, …."; empty where all is well. */
  readonly mend: string;
  /** All of it. */
  readonly sentence: string;
}
