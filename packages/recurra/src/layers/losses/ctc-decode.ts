/** What a network trained with `ctc` says: labels from logits, on plain numbers. */
import { DataError, OptionError, ShapeError } from "../../base/errors.ts";

export interface CtcDecodeOptions {
  readonly classes: number;
  /** The class that stands for no label. Default 0. */
  readonly blank?: number;
}

export interface CtcBeamOptions extends CtcDecodeOptions {
  /** Beginnings of labels kept from timestep to timestep. Default 16. */
  readonly width?: number;
}

export interface CtcDecoded {
  readonly labels: readonly number[];
  /** Nats. */
  readonly logProbability: number;
}

/**
 * The labels of the most probable path: the best class of each timestep, repetitions joined, blanks taken out. `logProbability` is that
 * of the path alone; other paths may say the same labels, and another labelling may be more probable than this one.
 *
 * Logits [time, classes] are those of one sequence, up to its true length.
 * Source: Graves et al. 2006, section 3.2.
 * @throws ShapeError when logits are not rows of classes; OptionError for a blank that is no class; DataError for logits that are NaN or
 * have no finite sum of exponentials.
 */
export function ctcBestPath(logits: ArrayLike<number>, options: CtcDecodeOptions): CtcDecoded {
  const { blank = 0 } = options;
  const labels: number[] = [];
  let logProbability = 0;
  let last = blank;
  for (const heard of logProbabilities(logits, options)) {
    const best = heard.reduce((winner, value, label) => (value > heard[winner]! ? label : winner), 0);
    logProbability += heard[best]!;
    if (best !== blank && best !== last) labels.push(best);
    last = best;
  }
  return { labels, logProbability };
}

/**
 * Prefix beam search: the labellings that are most probable over all their paths, best first, at most `width` of them. For a beginning
 * l of labels it keeps the probability of all paths so far that say l and end in a blank, b(l), and of those that end in its last label,
 * n(l). With y the probabilities of the next timestep:
 *
 *     b′(l)     = y_blank · (b(l) + n(l))
 *     n′(l)     = y_last · n(l) + y_last · (b(k) [+ n(k) where k does not end in the same label]),   l = k and its last label
 *
 * `logProbability` is log(b + n), exact as long as the beam had room for every beginning; else paths through those that were dropped are
 * missing from it. Beginnings that are equally probable stay in the order in which they were found.
 *
 * Logits as in `ctcBestPath`. Cost: timesteps · width · classes.
 * Source: Graves 2012, "Supervised Sequence Labelling with Recurrent Neural Networks", section 7.5; Hannun et al. 2014, arXiv:1408.2873,
 * without its language model.
 * @throws as `ctcBestPath`; OptionError for a width that is no positive whole number.
 */
export function ctcBeamSearch(logits: ArrayLike<number>, options: CtcBeamOptions): readonly CtcDecoded[] {
  const { blank = 0, width = 16 } = options;
  if (!(Number.isInteger(width) && width >= 1)) {
    throw new OptionError({
      where: "ctcBeamSearch: width",
      given: String(width),
      expected: "1, 2, 3, …",
      mend: "16 is usual; more is slower and misses less",
    });
  }
  let beam: readonly Prefix[] = [{ ...unheard, label: blank, longer: new Map(), endsInBlank: 0 }];
  for (const heard of logProbabilities(logits, options)) {
    const found = new Set<Prefix>();
    for (const prefix of beam) {
      const whole = total(prefix);
      say(found, prefix, { blank: whole + heard[blank]! });
      heard.forEach((probability, label) => {
        if (label === blank) return;
        const again = prefix.above !== undefined && label === prefix.label;
        if (again) say(found, prefix, { label: prefix.endsInLabel + probability });
        say(found, longer(prefix, label), { label: (again ? prefix.endsInBlank : whole) + probability });
      });
    }
    beam = mostProbable([...found].map(stepped), width);
  }
  return beam.map((prefix) => ({ labels: labelsOf(prefix), logProbability: total(prefix) }));
}

/** A beginning of labels, as a node of a tree: what is above it with a label more. Probabilities are logarithms. */
interface Prefix {
  readonly above?: Prefix;
  readonly label: number;
  readonly longer: Map<number, Prefix>;
  endsInBlank: number;
  endsInLabel: number;
  /** The same after the timestep that is being heard. */
  nextBlank: number;
  nextLabel: number;
}

const never = Number.NEGATIVE_INFINITY;
const unheard = { endsInBlank: never, endsInLabel: never, nextBlank: never, nextLabel: never };

function longer(prefix: Prefix, label: number): Prefix {
  const known = prefix.longer.get(label);
  if (known !== undefined) return known;
  const made = { ...unheard, above: prefix, label, longer: new Map() };
  prefix.longer.set(label, made);
  return made;
}

function say(found: Set<Prefix>, prefix: Prefix, more: { readonly blank?: number; readonly label?: number }): void {
  prefix.nextBlank = logSum(prefix.nextBlank, more.blank ?? never);
  prefix.nextLabel = logSum(prefix.nextLabel, more.label ?? never);
  found.add(prefix);
}

function stepped(prefix: Prefix): Prefix {
  prefix.endsInBlank = prefix.nextBlank;
  prefix.endsInLabel = prefix.nextLabel;
  prefix.nextBlank = prefix.nextLabel = never;
  return prefix;
}

function mostProbable(prefixes: readonly Prefix[], width: number): readonly Prefix[] {
  const sorted = prefixes.toSorted((a, b) => total(b) - total(a) || 0); // −∞ − −∞ is NaN
  // What nobody goes on from leaves the tree, which would grow with time · width · classes. One that others go on from must stay:
  // found again, it would lead to the same beginnings a second time.
  for (const { above, label, longer } of sorted.slice(width)) if (longer.size === 0) above?.longer.delete(label);
  return sorted.slice(0, width).filter((prefix) => total(prefix) > never);
}

function total({ endsInBlank, endsInLabel }: Prefix): number {
  return logSum(endsInBlank, endsInLabel);
}

function labelsOf(prefix: Prefix): readonly number[] {
  return prefix.above === undefined ? [] : [...labelsOf(prefix.above), prefix.label];
}

/** log(e^a + e^b). */
function logSum(a: number, b: number): number {
  const top = Math.max(a, b);
  return top === never ? never : top + Math.log1p(Math.exp(Math.min(a, b) - top));
}

/** Logarithms of the softmax of each timestep. */
function logProbabilities(
  logits: ArrayLike<number>,
  { classes, blank = 0 }: CtcDecodeOptions,
): readonly (readonly number[])[] {
  if (!(Number.isInteger(classes) && classes >= 1 && logits.length % classes === 0)) {
    throw new ShapeError({
      where: "ctc: logits",
      given: `${logits.length} numbers`,
      expected: `[time, ${classes}]`,
      mend: "give the logits of one sequence, a row of classes for each timestep",
    });
  }
  if (!(Number.isInteger(blank) && blank >= 0 && blank < classes)) {
    throw new OptionError({
      where: "ctc: blank",
      given: String(blank),
      expected: `one of the classes 0 … ${classes - 1}`,
      mend: "give the blank that the loss was trained with",
    });
  }
  return Array.from({ length: logits.length / classes }, (_, t) => {
    const row = Array.from({ length: classes }, (_, label) => logits[t * classes + label]!);
    const top = Math.max(...row);
    const norm = top + Math.log(row.reduce((sum, value) => sum + Math.exp(value - top), 0));
    if (Number.isFinite(norm)) return row.map((value) => value - norm);
    throw new DataError({
      where: `ctc: logits of timestep ${t}`,
      given: row.join(", "),
      expected: "numbers, not all −∞",
      mend: "look for NaN in what the network was fed with",
    });
  });
}
