/** Alone or together: which of the two computed calls of one size faster so far. The bits are the same either way. */

/** Calls between two looks at the other kind: at first and after a change of mind, and at most. */
const [soonest, latest] = [8, 512];
/** So many times as many each time that a look has changed nothing: what keeps a program to one thread is looked at more often. */
const growth = { together: 2, alone: 1.5 };
/**
 * Calls of a kind in a row that are compared. Together is tried once more before, which does not count: the other threads have gone to
 * sleep. They may also have lost their processors to something else for a moment, so that more calls are needed.
 */
const tries = { together: 3, alone: 2 };

export class Pace {
  /** Milliseconds of the last calls that counted, alone and together. */
  readonly #alone: number[] = [];
  readonly #together: number[] = [];
  /** Calls that are tries: of these kinds. The first calls of a module, which are not yet optimised, are alone. */
  #trying: readonly boolean[] = [false, ...triesOf(true), ...triesOf(false)];
  #tried = 0;
  #faster = false;
  #untilLook = 0;
  #interval = soonest / growth.alone;

  /** Whether the next call should be made together. Now and then it is the kind that was slower, in case that has changed. */
  next(): boolean {
    if (this.#tried > 0 && this.#tried === this.#trying.length) this.#decide();
    const trying = this.#trying[this.#tried];
    if (trying !== undefined) return trying;
    if (this.#untilLook > 0) return this.#faster;
    this.#trying = triesOf(!this.#faster);
    this.#tried = 0;
    return !this.#faster;
  }

  record(together: boolean, milliseconds: number): void {
    if (this.#tried >= this.#trying.length) this.#untilLook--;
    else this.#tried++;
    const kept = together ? this.#together : this.#alone;
    if (kept.push(milliseconds) > (together ? tries.together : tries.alone)) kept.shift();
  }

  /** When all tries have been made. */
  #decide(): void {
    const faster = least(this.#together) < least(this.#alone);
    const more = faster ? growth.together : growth.alone;
    this.#interval = faster === this.#faster ? Math.min(latest, more * this.#interval) : soonest;
    this.#faster = faster;
    this.#untilLook = Math.round(this.#interval);
    this.#trying = [];
    this.#tried = 0;
  }
}

function triesOf(together: boolean): readonly boolean[] {
  return Array.from({ length: together ? 1 + tries.together : tries.alone }, () => together);
}

/** Something else on the machine makes a call slower, never faster. */
function least(milliseconds: readonly number[]): number {
  return Math.min(...milliseconds);
}
