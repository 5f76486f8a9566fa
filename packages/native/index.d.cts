/** Native kernels on the memory of a WebAssembly module. Addresses are bytes from its start, sizes and strides elements. */

export type InstructionSet = "avx512" | "avx2" | "neon" | "portable";

/** Of a sum of outer products, what it has besides A. */
export type OuterSum = readonly [b: number, bRow: number, c: number, cRow: number, n: number, scratch: number];

/** Functions bound to one memory, made to be imported by WebAssembly. All arguments are whole numbers. */
export interface Kernels {
  /** B [k, n] into panels. The target takes k · n floats, n rounded up to a multiple of `panelWidth`. */
  readonly pack: (
    source: number,
    rowStride: number,
    columnStride: number,
    target: number,
    k: number,
    n: number,
  ) => void;
  /** C [m, n] = A [m, k] · B, or C += A · B. The bits of a row do not depend on m. */
  readonly gemm: (
    a: number,
    aRow: number,
    packed: number,
    c: number,
    cRow: number,
    m: number,
    n: number,
    k: number,
    accumulate: number,
  ) => void;
  /** C [m, n] = Σ over rows of aᵀ b; scratch takes outerBlock · n floats, n rounded up like that of a packed matrix. */
  readonly outer: (
    a: number,
    aRow: number,
    b: number,
    bRow: number,
    c: number,
    cRow: number,
    m: number,
    n: number,
    rows: number,
    scratch: number,
  ) => void;
  /** Two such sums over the same rows of A, which are packed once, with the bits of `outer`. */
  readonly outerPair: (
    a: number,
    aRow: number,
    m: number,
    rows: number,
    ...sums: [...sum: OuterSum, ...sum: OuterSum]
  ) => void;
  /**
   * Elements first … end − 1, counted from base, of all shards, `stride` bytes apart, added up in the first one: in a tree of fixed
   * shape, shards being a power of two.
   */
  readonly sumShards: (base: number, stride: number, first: number, end: number, shards: number) => void;
  /** Numbers [outer, inner, features], from element `from` of the source on, into the memory as [inner, outer, features]. */
  readonly turnIn: (
    source: Float32Array,
    from: number,
    target: number,
    outer: number,
    inner: number,
    features: number,
  ) => void;
  /**
   * Takes a program of `encodeLoop` or `encodeSteps` (recurra) and returns its handle: 0, 1, 2, … since the last `clearLoops`. A
   * handle belongs to this binding; another thread that defines the same programs in the same order has the same handles.
   */
  readonly define: (program: Int32Array) => number;
  /**
   * Runs loops one after the other: the first handle and how many; then, in the order of `encodeLoop`: the size of each axis, the addresses of arena and shard, the position of the
   * first row in the whole batch, the position of each enclosing scan.
   */
  readonly runLoops: (first: number, count: number, ...sizesBasesAndSteps: number[]) => void;
  /** Runs `count` positions of the outermost dimension of one loop, from `first` on. A row that is added up must not be cut. */
  readonly runPart: (handle: number, first: number, count: number, ...sizesBasesAndSteps: number[]) => void;
  /**
   * Runs `count` steps of a scan, forwards (direction 1) or backwards (−1), from the given ones on; sizes, bases and steps as those
   * of `runLoops`. So many `shards` of the same sizes, up to 8, take each step side by side, their products reading the weights once: bases and
   * steps are those of the first, the next lies `arenaBytes` and `shardBytes` behind it and begins `rows` rows later.
   */
  readonly runSteps: (
    handle: number,
    count: number,
    direction: number,
    shards: number,
    arenaBytes: number,
    shardBytes: number,
    rows: number,
    ...sizesBasesAndSteps: number[]
  ) => void;
  /** Whether the loop of this handle runs as machine code; else it is interpreted. */
  readonly isCompiled: (handle: number) => boolean;
  readonly clearLoops: () => void;
  /** After the memory has grown. */
  readonly rebind: () => void;
}

export interface Native {
  readonly bind: (memory: WebAssembly.Memory) => Kernels;
  readonly panelWidth: number;
  readonly outerBlock: number;
  /** What this processor has, fastest first. */
  readonly instructionSets: readonly InstructionSet[];
  readonly selected: () => InstructionSet;
  /** Floats in a vector of the selected set. With 4, loops gain nothing over WebAssembly. */
  readonly lanes: () => number;
  /** Whether loops that are defined now become machine code; else they are interpreted. */
  readonly compilesLoops: () => boolean;
  /** For tests: whether loops that are defined from now on become machine code, where that is possible. True at first. */
  readonly compileLoops: (wanted: boolean) => void;
  /** For tests: all bindings of the process use this set from now on. Matrices must be packed again. */
  readonly select: (set: InstructionSet) => void;
  /** Multiply-adds in registers; returns how many floating-point operations that were. For benchmarks. */
  readonly peak: (iterations: number) => number;
}

/**
 * The kernels, or undefined where they were not built, do not load, or are refused by `RECURRA_NATIVE=0`; `whyNot()` then
 * says why. `RECURRA_NATIVE=avx2` (or another set) selects that set. Never throws.
 */
export function load(): Native | undefined;

/** Why the last `load` returned undefined. */
export function whyNot(): string | undefined;
