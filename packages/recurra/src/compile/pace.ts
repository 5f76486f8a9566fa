/** Alone or together: which of the two computed calls of one size faster so far. The bits are the same either way. */

/** Tries of each kind before the first choice: the first calls of a module are not yet optimised. */
const firstTries = 3;
/** Calls between two looks at the other kind: at first and after a change of mind, and at most. */
const [soonest, latest] = [8, 512];

export class Pace {
  /** Milliseconds of the last three calls, alone and together. */
  readonly #alone: number[] = [];
  readonly #together: number[] = [];
  #calls = 0;
  #nextLook = 2 * firstTries + soonest;
  #interval = soonest;
  /** Whether together was faster before the last look. */
  #before = false;

  /** Whether the next call should be made together. Now and then it is the kind that was slower, twice, in case that has changed. */
  next(): boolean {
    const call = this.#calls++;
    if (call < 2 * firstTries) return call % 2 === 0;
    const faster = median(this.#together) < median(this.#alone);
    if (call < this.#nextLook) return faster;
    if (call === this.#nextLook) {
      this.#before = faster;
      return !faster;
    }
    if (call === this.#nextLook + 1) return !this.#before;
    this.#interval = faster === this.#before ? Math.min(latest, 2 * this.#interval) : soonest;
    this.#nextLook = call + this.#interval;
    return faster;
  }

  record(together: boolean, milliseconds: number): void {
    const kept = together ? this.#together : this.#alone;
    if (kept.push(milliseconds) > 3) kept.shift();
  }
}

/** Of three, or of those there are: one slow call does not decide, two calls of a look do. */
function median(milliseconds: readonly number[]): number {
  return [...milliseconds].sort((a, b) => a - b)[milliseconds.length >> 1] ?? 0;
}
