/** Beam search over a stream: the most probable sequences of tokens, several beginnings followed at once. */
import { OptionError } from "../base/errors.ts";
import type { Stream } from "./stream.ts";
import { tokenStream, type WritingOptions, type Written } from "./tokens.ts";

export interface BeamOptions extends WritingOptions {
  /** α of the length normalisation: 0 compares log-probabilities as they are, which favours short sequences. Default 0.6. */
  readonly lengthPenalty?: number;
}

export interface Hypothesis extends Written {
  /** The log-probability divided by ((5 + length) / 6)^α, where the end counts as a token. */
  readonly score: number;
}

/**
 * At most as many sequences as the stream has streams, which is the width of the beam, best score first:
 *
 *     score(y) = log P(y) / ((5 + |y|) / 6)^α
 *
 * In every step each beginning that is followed may end, and of all that go on by one more token the most probable are followed. Those
 * that reach `steps` count as they are. It stops when nothing that is followed can still beat the worst of the sequences found. With
 * room for every beginning the result is exact. Equal beginnings stay in the order of their stream and token.
 *
 * It begins where stream 0 stands: reset, or given all of a prompt but the last token. Inputs besides the token must be the same for
 * all streams. One stream is the greedy search that weighs every end. A step allocates nothing for each token of the vocabulary.
 *
 * Source: Wu et al. 2016, arXiv:1609.08144, section 7, equation 14. Deviation: without its coverage penalty.
 * @throws OptionError for options outside their range; DataError when logits are NaN.
 */
export function beamSearch(stream: Stream, options: BeamOptions): readonly Hypothesis[] {
  const { first, end, steps, lengthPenalty = 0.6 } = options;
  if (!Number.isFinite(lengthPenalty)) {
    throw new OptionError({
      where: "beamSearch: lengthPenalty",
      given: String(lengthPenalty),
      expected: "a finite number",
      mend: "0 compares probabilities, 1 about those of a token; 0.6 lies between",
    });
  }
  const { give, logits, logNorm } = tokenStream(stream, "beamSearch", options);
  const width = stream.streams;
  const divisor = (length: number) => ((5 + length) / 6) ** lengthPenalty;
  const found: Found[] = [];
  const finish = (last: Beginning, length: number, ended: boolean) => {
    const score = last.logProbability / divisor(length);
    insert(found, width, (other) => other.score >= score, { last, score, ended });
  };
  let followed: Beginning[] = [{ token: first, stream: 0, logProbability: 0 }];
  const from = new Int32Array(width);
  stream.reorder(from);
  for (let t = 0; t < steps && followed.length > 0; t++) {
    followed.forEach(({ token }, i) => {
      give(i, token);
    });
    stream.step();
    const next: Beginning[] = [];
    /** What one more has to be above. */
    let least = Number.NEGATIVE_INFINITY;
    followed.forEach((above, i) => {
      const base = above.logProbability - logNorm(i);
      const row = logits[i]!;
      for (let token = 0; token < row.length; token++) {
        const logProbability = base + row[token]!;
        if (token !== end && logProbability <= least) continue;
        if (logProbability === Number.NEGATIVE_INFINITY) continue;
        const longer = { above, token, stream: i, logProbability };
        if (token === end) finish(longer, t + 1, true);
        else insert(next, width, (other) => other.logProbability >= logProbability, longer);
        if (next.length === width) least = next.at(-1)!.logProbability;
      }
    });
    followed = next;
    if (t + 1 === steps) for (const last of followed) finish(last, steps, false);
    const most = (followed[0]?.logProbability ?? 0) / Math.max(divisor(t + 2), divisor(steps));
    if (found.length === width && found.at(-1)!.score >= most) break;
    for (let i = 0; i < width; i++) from[i] = followed[i]?.stream ?? i;
    stream.reorder(from);
  }
  return found.map(({ last, score, ended }) => {
    const tokens = tokensOf(last);
    return { tokens: ended ? tokens.slice(0, -1) : tokens, logProbability: last.logProbability, ended, score };
  });
}

/** A beginning of a sequence: one more token than the one above. */
interface Beginning {
  readonly above?: Beginning;
  readonly token: number;
  /** The stream whose step gave the token. */
  readonly stream: number;
  readonly logProbability: number;
}

interface Found {
  readonly last: Beginning;
  readonly score: number;
  readonly ended: boolean;
}

/** Into a list that is sorted, the best first, behind what is `atLeast` as good; what then lies beyond `width` falls out. */
function insert<T>(sorted: T[], width: number, atLeast: (other: T) => boolean, item: T): void {
  let place = sorted.length;
  while (place > 0 && !atLeast(sorted[place - 1]!)) place--;
  if (place >= width) return;
  sorted.splice(place, 0, item);
  if (sorted.length > width) sorted.pop();
}

/** Without the one that the first step was given. */
function tokensOf(last: Beginning): readonly number[] {
  const tokens: number[] = [];
  for (let own = last; own.above !== undefined; own = own.above) tokens.push(own.token);
  return tokens.reverse();
}
