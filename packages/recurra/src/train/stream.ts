/** A network advanced one timestep at a time, with the states of its recurrent layers kept inside. */
import { FormatError, OptionError } from "../base/errors.ts";
import { hashLabel } from "../base/random.ts";
import { type Axis, type AxisSizes, elementCount, formatType, product } from "../base/shapes.ts";
import { Stepper } from "../compile/stepper.ts";
import { oneStep } from "../optimize/oneStep.ts";
import type { ParameterSpec } from "../trace/scope.ts";
import { forwardProgram, lengthsInput, type Network } from "./programs.ts";

export interface StreamOptions {
  /** Sequences advanced at once, each with states of its own: the batch. Default 1. */
  readonly streams?: number;
  /** The axis stepped along. Default "time". */
  readonly axis?: Axis;
  /** Of the network's other axes besides "batch". Default: it has none. */
  readonly sizes?: AxisSizes;
}

/** What a stream takes from its model. */
export interface StreamSource {
  readonly network: Network;
  readonly parameters: readonly ParameterSpec[];
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly seed: number;
  readonly strict: boolean;
}

type View = Float32Array<ArrayBuffer>;

/**
 *     const stream = model.stream();
 *     stream.inputs.x.set(features);
 *     stream.step();
 *     stream.outputs.y[0];
 *
 * A step gives what `predict` gives for the timestep behind those before it, up to the rounding of float32; an output without a
 * time axis (`output: "last"`) is that of the steps so far. A step allocates nothing. n streams have the bits of n separate ones.
 *
 * `inputs` and `outputs` are live views of the stream's memory, features innermost: [streams, features]; an axis besides is
 * outermost, [steps, streams, features]. They stay valid. An input without the axis stepped along is read in every step. Lengths along
 * other axes are inputs under the names of a batch; until they are set, all rows are full.
 *
 * The weights are those of the model when the stream was made.
 */
export class Stream {
  readonly inputs: Readonly<Record<string, View>>;
  readonly outputs: Readonly<Record<string, View>>;
  readonly streams: number;
  readonly #stepper: Stepper;
  readonly #step: () => void;
  readonly #states: readonly State[];
  readonly #fingerprint: number;
  /** Where `reorder` keeps the states as they were. */
  #before: readonly View[] | undefined;

  /** @throws UnsupportedError when the network needs later timesteps; OptionError, ShapeError for wrong counts and sizes. */
  constructor(
    { network, parameters, weights, seed, strict }: StreamSource,
    { streams = 1, axis = "time", sizes = {} }: StreamOptions = {},
  ) {
    if (!Number.isInteger(streams) || streams < 1) {
      throw new OptionError({
        where: "stream: streams",
        given: String(streams),
        expected: "1, 2, 3, …",
        mend: "give the number of sequences that are advanced at once",
      });
    }
    this.streams = streams;
    const all: AxisSizes = { ...sizes, batch: streams };
    const program = oneStep(forwardProgram(network, axis), axis);
    this.#stepper = new Stepper(program, { sizes: all, weights, strict });
    const { inputs, outputs, states, beginnings } = this.#stepper;
    inputs.get("seed")?.fill(seed);
    const lengths = new Map((network.variableLengths ?? []).map((other) => [lengthsInput(other), all[other] ?? 0]));
    for (const [name, full] of lengths) inputs.get(name)?.fill(full);
    this.inputs = Object.fromEntries([...inputs].filter(([name]) => name in network.inputs || lengths.has(name)));
    this.outputs = Object.fromEntries(outputs);
    this.#step = this.#stepper.step;
    this.#states = [...program.states].map(([name, type]) => {
      const features = product(type.shape);
      const outer = elementCount(type, { ...sizes, batch: 1 }) / features;
      return { view: states.get(name)!, beginning: beginnings.get(name)!, outer, features };
    });
    const types = [...program.states.values()].map(formatType);
    const shapes = parameters.map(({ name, shape }) => `${name} [${shape.join(", ")}]`);
    this.#fingerprint = hashLabel(version, [...types, ...shapes].join("; "));
    this.reset();
  }

  /** Bytes of the stream's memory, and the kernels in use, as of a model's `footprint`. */
  get footprint(): { readonly memoryBytes: number; readonly kernels: string } {
    return { memoryBytes: this.#stepper.memoryBytes, kernels: this.#stepper.kernels };
  }

  /** One timestep of every stream: from `inputs` and the states to `outputs`, which it returns. */
  step(): Readonly<Record<string, View>> {
    this.#step();
    return this.outputs;
  }

  /**
   * Back before the first step: all streams, or one by its number. Initial states that the network computes of inputs without the
   * axis stepped along are computed now, of what these inputs hold.
   */
  reset(stream?: number): void {
    this.#stepper.begin();
    this.#eachRun(stream, ({ view, beginning, features }, at) => {
      view.set(beginning.subarray(at, at + features), at);
    });
  }

  /**
   * Stream i goes on where stream from[i] stands, for every i: one may be followed by several, as a beam search needs it.
   * @throws OptionError unless `from` has a stream's number for each stream; nothing is changed then.
   */
  reorder(from: ArrayLike<number>): void {
    const fits = (number: number | undefined) => Number.isInteger(number) && number! >= 0 && number! < this.streams;
    let moved = false;
    for (let i = 0; i < Math.max(this.streams, from.length); i++) {
      if (from.length !== this.streams || !fits(from[i])) throw badOrder(from, this.streams);
      moved ||= from[i] !== i;
    }
    if (!moved) return;
    this.#before ??= this.#states.map(({ view }) => view.slice());
    this.#states.forEach(({ view, outer, features }, s) => {
      const before = this.#before![s]!;
      before.set(view);
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < this.streams; i++) {
          const [to, source] = [(o * this.streams + i) * features, (o * this.streams + from[i]!) * features];
          for (let k = 0; k < features; k++) view[to + k] = before[source + k]!;
        }
      }
    });
  }

  /**
   * What the network remembers, of all streams or of one, as bytes: a header of 20 bytes (the letters "RSTR", version, fingerprint
   * of the network's shapes, streams, numbers per stream), then the numbers, stream after stream; all of it little-endian, 32 bits each.
   */
  state(stream?: number): Uint8Array<ArrayBuffer> {
    const [, count] = this.#range(stream);
    const bytes = new Uint8Array(headerBytes + count * this.#perStream * 4);
    const view = new DataView(bytes.buffer);
    [magic, version, this.#fingerprint, count, this.#perStream].forEach((word, i) => {
      view.setUint32(i * 4, word, true);
    });
    this.#eachRun(stream, (state, inView, inBytes) => {
      for (let k = 0; k < state.features; k++) view.setFloat32(inBytes + k * 4, state.view[inView + k]!, true);
    });
    return bytes;
  }

  /**
   * Puts back what `state` gave: of all streams, or of one into the stream of this number. The next steps have the same bits as
   * without a break.
   * @throws FormatError when the bytes are no state of a network of these shapes, or of another number of streams; nothing is changed then.
   */
  restore(bytes: Uint8Array, stream?: number): void {
    const [, count] = this.#range(stream);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const word = (i: number) => (bytes.length >= headerBytes ? view.getUint32(i * 4, true) : Number.NaN);
    const expect = (what: string, given: number, expected: number, mend: string) => {
      if (given === expected) return;
      throw new FormatError({ where: `stream state: ${what}`, given: String(given), expected: String(expected), mend });
    };
    expect("mark", word(0), magic, "restore bytes that `state` gave");
    expect("version", word(1), version, "restore bytes of the same version of recurra");
    expect("fingerprint", word(2), this.#fingerprint, "restore a state of a network with the same layers and sizes");
    expect(
      "number of streams",
      word(3),
      count,
      "name the stream that the state of one belongs to, or restore all of them",
    );
    expect(
      "number of bytes",
      bytes.length,
      headerBytes + count * this.#perStream * 4,
      "the bytes were cut or joined: restore them as they were",
    );
    this.#eachRun(stream, (state, inView, inBytes) => {
      for (let k = 0; k < state.features; k++) state.view[inView + k] = view.getFloat32(inBytes + k * 4, true);
    });
  }

  /** The first of the streams meant, and how many there are. */
  #range(stream: number | undefined): readonly [first: number, count: number] {
    if (stream === undefined) return [0, this.streams];
    if (Number.isInteger(stream) && stream >= 0 && stream < this.streams) return [stream, 1];
    throw new OptionError({
      where: "stream: number of a stream",
      given: String(stream),
      expected: `0 … ${this.streams - 1}`,
      mend: "count from 0, or leave it out to mean all",
    });
  }

  /** Numbers kept for each stream. */
  get #perStream(): number {
    return this.#states.reduce((sum, { outer, features }) => sum + outer * features, 0);
  }

  /** Every run of neighbouring numbers that belongs to the streams meant: where it lies in a state's view, and in the bytes. */
  #eachRun(stream: number | undefined, visit: (state: State, inView: number, inBytes: number) => void): void {
    const [first, count] = this.#range(stream);
    let inBytes = headerBytes;
    for (let i = first; i < first + count; i++) {
      for (const state of this.#states) {
        for (let o = 0; o < state.outer; o++) {
          visit(state, (o * this.streams + i) * state.features, inBytes);
          inBytes += state.features * 4;
        }
      }
    }
  }
}

/** Views of one state in memory order, [outer, streams, features]. */
interface State {
  readonly view: View;
  readonly beginning: View;
  readonly outer: number;
  readonly features: number;
}

function badOrder(from: ArrayLike<number>, streams: number): OptionError {
  return new OptionError({
    where: "stream: reorder",
    given: Array.from(from).join(", "),
    expected: `${streams} numbers of 0 … ${streams - 1}`,
    mend: "say for each stream which one it follows",
  });
}

/** "RSTR" as a little-endian word. */
const magic = 0x52545352;
const version = 1;
const headerBytes = 20;
