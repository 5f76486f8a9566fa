/** Errors people can act on: where it happened, what was given, what was expected and how to mend it. */

export interface ErrorFacts {
  /** The place, in the words of the caller: "lstm: input x", "data.csv: row 12, column OT". */
  readonly where: string;
  readonly given: string;
  readonly expected: string;
  readonly mend: string;
}

/** Base of every error that is the caller's to mend. The fields carry the same facts as the message. */
export class RecurraError extends Error implements ErrorFacts {
  readonly where: string;
  readonly given: string;
  readonly expected: string;
  readonly mend: string;

  constructor(facts: ErrorFacts & { readonly cause?: unknown }) {
    super(`${facts.where} is ${facts.given}, expected ${facts.expected}.\n${sentence(facts.mend)}`, {
      cause: facts.cause,
    });
    this.name = new.target.name;
    this.where = facts.where;
    this.given = facts.given;
    this.expected = facts.expected;
    this.mend = facts.mend;
  }
}

/** A tensor, batch or parameter whose shape does not fit. */
export class ShapeError extends RecurraError {}
/** Data that cannot be used as it is: a missing column, text among numbers, gaps, too few rows. */
export class DataError extends RecurraError {}
/** An option outside its range or unknown. */
export class OptionError extends RecurraError {}
/** A file that is not what it should be. */
export class FormatError extends RecurraError {}
/** Something this build, machine or browser cannot do. */
export class UnsupportedError extends RecurraError {}
/** Training left the range of numbers: a loss, gradient or weight is NaN or infinite. */
export class TrainingError extends RecurraError {}

/** A fault of recurra itself. `program` is the printed IR, when one was at hand. */
export class InternalError extends Error {
  constructor(message: string, program?: string) {
    super(`${message}\nThis is a fault of recurra: please report it.${program === undefined ? "" : `\n${program}`}`);
    this.name = "InternalError";
  }
}

/** `unknown cell "ltsm"; did you mean "lstm"?`: looks a name up in a table, or throws with the nearest known name. */
export function lookup<T>(kind: string, name: string, table: Readonly<Record<string, T>>): T {
  const found = Object.hasOwn(table, name) ? table[name] : undefined;
  if (found !== undefined) return found;
  throw unknownName(kind, name, Object.keys(table));
}

export function unknownName(kind: string, name: string, known: readonly string[]): OptionError {
  const near = nearest(name, known);
  return new OptionError({
    where: kind,
    given: `unknown: "${name}"`,
    expected: `one of ${known.join(", ")}`,
    mend: near === undefined ? `choose a known ${kind}` : `did you mean "${near}"?`,
  });
}

/** The known name within a small edit distance of `name`, if there is one. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const scored = known.map((candidate) => ({
    candidate,
    distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
  }));
  scored.sort((a, b) => a.distance - b.distance);
  const best = scored[0];
  // Two edits make any word of a name of one or two letters.
  const allowed = Math.min(Math.max(2, Math.floor(name.length / 3)), name.length - 1);
  return best !== undefined && best.distance <= allowed ? best.candidate : undefined;
}

/** Optimal string alignment distance: a swap of two neighbouring letters counts as one edit. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(substitution, rows[i - 1]![j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?!]$/.test(first) ? first : `${first}.`;
}
