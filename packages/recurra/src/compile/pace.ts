/** Alone or together: which of the two computed calls of one size faster so far. The bits are the same either way. */

/** Calls between two looks at the other kind: at first and after a change of mind, and at most; each time so many times as many. */
const [soonest, latest, growth] = [8, 512, 1.5];
/**
 * Calls of a kind in a row that are compared. Tried is one more, which comes first and does not count: the other threads have gone to
 * sleep, or have other things in their caches.
 */
const tries = 3;

export class Pace {
  /** Milliseconds of the last calls that counted, alone and together. */
  readonly #alone: number[] = [];
  readonly #together: number[] = [];
  /** Calls that are tries: of these kinds. The first calls of a module, which are not yet optimised, are alone. */
  #trying: readonly boolean[] = [...row(false, 1), ...row(true, tries), ...row(false, tries)];
  #tried = 0;
  #faster = false;
  #untilLook = 0;
  #interval = soonest / growth;

  /** Whether the next call should be made together. Now and then it is the kind that was slower, in case that has changed. */
  next(): boolean {
    if (this.#tried > 0 && this.#tried === this.#trying.length) this.#decide();
    const trying = this.#trying[this.#tried];
    if (trying !== undefined) return trying;
    if (this.#untilLook > 0) return this.#faster;
    this.#trying = row(!this.#faster, tries);
    this.#tried = 0;
    return !this.#faster;
  }

  record(together: boolean, milliseconds: number): void {
    if (this.#tried >= this.#trying.length) this.#untilLook--;
    else this.#tried++;
    const kept = together ? this.#together : this.#alone;
    if (kept.push(milliseconds) > tries) kept.shift();
  }

  /** When all tries have been made. */
  #decide(): void {
    const faster = least(this.#together) < least(this.#alone);
    this.#interval = faster === this.#faster ? Math.min(latest, growth * this.#interval) : soonest;
    this.#faster = faster;
    this.#untilLook = Math.round(this.#interval);
    this.#trying = [];
    this.#tried = 0;
  }
}

function row(together: boolean, tries: number): readonly boolean[] {
  return Array.from({ length: 1 + tries }, () => together);
}

/** Something else on the machine makes a call slower, never faster. */
function least(milliseconds: readonly number[]): number {
  return Math.min(...milliseconds);
}
