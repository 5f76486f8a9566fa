/** What training sees of its gradient while it runs: norms, and warnings with what mends them. */
import type { Batch, Model } from "./model.ts";

/** The fields that are sentences begin small where they go on behind a colon. */
export interface GradientWarning {
  readonly kind: "exploding" | "vanishing";
  /** "the gradient", or a recurrence by its name. */
  readonly where: string;
  /** "its norm has been 3.1e6 over 9 steps, …." */
  readonly seen: string;
  /** "Clip the gradient by norm, …." */
  readonly mend: string;
}

/**
 * Asked after every step of a run: the model with the weights behind the step, the batch of the step (the last one of several), and
 * how many steps the run has taken. It may look or pass, and leaves the model as it was.
 */
export type GradientWatch = (model: Model, batch: Batch, step: number) => GradientWarning | undefined;

export function warningText(step: number, { where, seen, mend }: GradientWarning): string {
  return `training step ${step}: ${where}: ${seen} ${mend}`;
}

/** Steps whose median norm decides: up to four spikes among them change nothing. */
const steps = 9;
/** So many times the loss: docs/decisions/0020-gradient-warnings.md has what was measured. */
const exploded = 1e4;
/** A run that begins where another has ended begins with a small loss, and may well rise from it. */
const smallLoss = 0.01;

/** The norms of a run. */
export class GradientNorms {
  /** Of the last steps, each in the place of the one so many before it. */
  readonly #latest = new Float64Array(steps);
  readonly #limit: number;
  #sum = 0;
  #count = 0;
  #seen = 0;
  /** Of the latest, those beyond the limit. */
  #above = 0;
  #largest = 0;

  /** With the length of all weights, and the loss, of the first step. */
  constructor(weightNorm: number, loss: number) {
    this.#limit = (exploded * Math.max(Math.abs(loss), smallLoss)) / weightNorm;
  }

  see(norm: number): void {
    const place = this.#seen++ % steps;
    if (norm > this.#limit) this.#above++;
    if (this.#latest[place]! > this.#limit) this.#above--;
    this.#latest[place] = norm;
    this.#sum += norm;
    this.#count++;
    this.#largest = Math.max(this.#largest, norm);
  }

  /** Mean and largest since it was asked for last. */
  takeSummary(): { readonly mean: number; readonly largest: number } {
    const summary = { mean: this.#sum / this.#count, largest: this.#largest };
    this.#sum = 0;
    this.#count = 0;
    this.#largest = 0;
    return summary;
  }

  /**
   * The median norm of the last nine steps, where it explodes: ‖∂L/∂w‖ · ‖w‖ > 10⁴ · |L|, with weights and loss of the first step. By
   * the gradient a change of all weights by a ten-thousandth of their length could then double the loss.
   */
  exploding(): number | undefined {
    if (this.#above <= steps >> 1 || this.#seen < steps) return undefined;
    return this.#latest.toSorted()[steps >> 1];
  }
}

export function explodingNorm(model: Model, norm: number): GradientWarning {
  return {
    kind: "exploding",
    where: "the gradient",
    seen: `its norm has been about ${norm.toPrecision(2)} for ${steps} steps: by it, a change of all weights by a ten-thousandth of their length could double the loss.`,
    mend: mendOfExploding(model),
  };
}

/** What a model that does not clip yet is told first. */
export function mendOfExploding({ clipping }: Model): string {
  const clips = clipping.norm !== undefined;
  return `${clips ? "Lower the learning rate" : "Clip the gradient by norm"}, begin with smaller or orthogonal recurrent weights, or use a gated cell (gru, lstm).`;
}
