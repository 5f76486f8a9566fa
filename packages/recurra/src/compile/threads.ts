/**
 * Threads: workers that wait on shared memory for work, one call each per batch, no message per step. Absent where memory cannot be
 * shared (a page without cross-origin isolation), where there is one processor, or where RECURRA_THREADS=1 says so.
 */

/**
 * What threads do together. Addresses in bytes; `sizes` in the order of the program's arguments, those of the whole batch.
 *
 *     rows   shard i and every `threads`th behind it:  batchAt (the place of the batch in sizes), batch, shards, arenaBase, arenaBytes,
 *            shardBase, shardBytes, ...sizes
 *     part   part i of a stage:                        ...its arguments, without part and parts
 *     sum    part i of the sum over shards:            address of the first, bytes to the next, floats, shards
 */
export interface Job {
  readonly model: number;
  readonly kind: "rows" | "part" | "sum";
  /** An export of the model's module; a sum needs none. */
  readonly program: string | undefined;
  readonly numbers: readonly number[];
}

const kinds = ["rows", "part", "sum"] as const;

/** Where part i of `count` floats begins, in whole cache lines; `count` is a multiple of 16. */
export function partOf(count: number, part: number, parts: number): number {
  return Math.floor(((count / 16) * part) / parts) * 16;
}

/** Compiled code and its memory, sent to a worker once. */
export interface ThreadModel {
  readonly module: WebAssembly.Module;
  readonly kernels: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly programs: readonly string[];
  /** Where to load the native kernels from, and the programs of the loops they run. */
  readonly native: string | undefined;
  readonly loops: readonly Int32Array[];
}

export interface ThreadPool {
  /** Threads in all, the calling one included. */
  readonly size: number;
  /** Sends a model to the workers; they take part as soon as each has compiled it. Returns its number. */
  register(model: ThreadModel): number;
  unregister(model: number): void;
  /** How many threads can take part in a job of this model now, the calling one included. */
  ready(model: number): number;
  /** Lets `threads` − 1 workers do parts 1, 2, … of a job, while `own` does part 0 here. */
  run(job: Job, threads: number, own: () => void): void;
}

// Layout of the control block, in 32-bit words.
const generation = 0;
const remaining = 1;
const threadsWord = 2;
const modelWord = 3;
const programWord = 4;
const kindWord = 5;
const countWord = 6;
const numbersWord = 7;
const mailWord = 30;
const readyWord = 31;
const jobWord = 500;
const controlWords = 512;
/** Turns of the waiting loop before a thread goes to sleep: 200 to 400 microseconds, longer than JavaScript takes between two steps. */
const spins = 50_000;

let pool: ThreadPool | undefined | "untried" = "untried";

/** The pool of this process or page, made at the first call; undefined where there are no threads. */
export function threadPool(): ThreadPool | undefined {
  if (pool === "untried") pool = createPool();
  return pool;
}

interface Host {
  readonly processors: number;
  start(source: string, control: SharedArrayBuffer, index: number): { postMessage(message: unknown): void };
}

function createPool(): ThreadPool | undefined {
  const host = findHost();
  if (host === undefined || host.processors < 2 || typeof SharedArrayBuffer === "undefined") return undefined;
  const shared = new SharedArrayBuffer(controlWords * 4);
  const control = new Int32Array(shared);
  const source = `(${workerMain.toString()})(control, index, listen, load)`;
  const workers = Array.from({ length: host.processors - 1 }, (_, i) => host.start(source, shared, i + 1));
  const models = new Map<number, readonly string[]>();
  let nextModel = 1;

  const wake = () => {
    Atomics.add(control, generation, 1);
    Atomics.notify(control, generation);
  };
  const tell = (message: unknown) => {
    Atomics.add(control, mailWord, 1);
    for (const worker of workers) worker.postMessage(message);
    Atomics.store(control, threadsWord, 0);
    wake();
  };
  return {
    size: workers.length + 1,
    register({ programs, ...rest }) {
      const model = nextModel++;
      models.set(model, programs);
      tell({ ...rest, programs, model });
      return model;
    },
    unregister(model) {
      models.delete(model);
      tell({ model });
    },
    ready(model) {
      let count = 1;
      // Models are compiled in the order they are sent.
      while (count <= workers.length && Atomics.load(control, readyWord + count - 1) >= model) count++;
      return count;
    },
    run(job, threads, own) {
      control[threadsWord] = threads;
      control[modelWord] = job.model;
      control[kindWord] = kinds.indexOf(job.kind);
      control[programWord] = job.program === undefined ? 0 : models.get(job.model)!.indexOf(job.program);
      control[countWord] = job.numbers.length;
      for (let i = 0; i < job.numbers.length; i++) control[numbersWord + i] = job.numbers[i]!;
      Atomics.add(control, jobWord, 1);
      Atomics.store(control, remaining, threads - 1);
      wake();
      own();
      let turns = 0;
      for (let left = Atomics.load(control, remaining); left > 0; left = Atomics.load(control, remaining)) {
        if (++turns < spins * 4) continue;
        turns = 0;
        try {
          Atomics.wait(control, remaining, left, 1);
        } catch {
          // A page's main thread may not sleep: it goes on looking.
        }
      }
    },
  };
}

/**
 * The whole code of a worker, turned into text: it may use nothing from outside. `listen` hands over messages.
 * Words as above: 0 generation, 1 remaining, 2 threads, 3 model, 4 program, 5 kind, 6 count, 7 … numbers, 30 mail, 31 … ready, 500 job.
 */
function workerMain(
  control: Int32Array,
  index: number,
  listen: (
    receive: (message: {
      model: number;
      programs?: string[];
      module?: WebAssembly.Module;
      kernels?: WebAssembly.Module;
      memory?: WebAssembly.Memory;
      native?: string;
      loops?: Int32Array[];
    }) => void,
  ) => void,
  load: ((path: string) => unknown) | undefined,
): void {
  type Run = (...numbers: number[]) => void;
  const models = new Map<number, { readonly programs: readonly Run[]; readonly sum: Run }>();
  let seen = Atomics.load(control, 0);
  let received = 0;
  let done = Atomics.load(control, 500);
  const rows = (program: Run, threads: number, numbers: readonly number[]) => {
    type Rows = readonly [number, number, number, number, number, number, number];
    const [batchAt, batch, shards, arenaBase, arenaBytes, shardBase, shardBytes] = numbers as unknown as Rows;
    const sizes = numbers.slice(7);
    for (let shard = index; shard < shards; shard += threads) {
      const size = Math.floor(batch / shards);
      const larger = batch % shards;
      sizes[batchAt] = size + (shard < larger ? 1 : 0);
      const first = shard * size + Math.min(shard, larger);
      // One shard at a time; only a program that takes several side by side looks at how many.
      program(...sizes, arenaBase + index * arenaBytes, shardBase + shard * shardBytes, first, 1, 0, 0, 0);
    }
  };
  const work = () => {
    const { programs, sum } = models.get(control[3]!)!;
    const threads = control[2]!;
    const numbers = Array.from(control.subarray(7, 7 + control[6]!));
    const program = programs[control[4]!]!;
    if (control[5] === 0) rows(program, threads, numbers);
    else if (control[5] === 1) program(...numbers, index, threads);
    else {
      const [address, stride, count, shards] = numbers as [number, number, number, number];
      const at = (part: number) => Math.floor(((count / 16) * part) / threads) * 16;
      sum(address, stride, at(index), at(index + 1), shards);
    }
    if (Atomics.sub(control, 1, 1) === 1) Atomics.notify(control, 1);
  };
  const wait = () => {
    for (;;) {
      // Messages arrive only when the worker goes back to its event loop; two of them may have been sent before one wake-up was seen.
      if (Atomics.load(control, 30) !== received) return;
      let turns = 0;
      while (Atomics.load(control, 0) === seen) {
        if (++turns < 50_000) continue;
        turns = 0;
        Atomics.wait(control, 0, seen);
      }
      seen = Atomics.load(control, 0);
      // A job may be seen before its wake-up call: its number tells that it has been done already.
      const job = Atomics.load(control, 500);
      if (job !== done && index < Atomics.load(control, 2) && Atomics.load(control, 1) > 0) {
        done = job;
        work();
      }
    }
  };
  interface Bound {
    [name: string]: (...values: unknown[]) => unknown;
  }
  const bindNative = (path: string, memory: WebAssembly.Memory, loops: readonly Int32Array[]) => {
    const bound = (load!(path) as { load(): { bind(memory: WebAssembly.Memory): Bound } }).load().bind(memory);
    for (const program of loops) bound["define"]!(program);
    const { pack, gemm, outer, outerPair, runLoops, runPart, runSteps, sumShards } = bound;
    return { pack, gemm, outer, outerPair, runLoops, runPart, runSteps, sumShards };
  };
  listen(({ model, programs, module, kernels, memory, native, loops }) => {
    received++;
    if (programs === undefined || module === undefined || kernels === undefined || memory === undefined)
      models.delete(model);
    else {
      const own = new WebAssembly.Instance(kernels, { env: { memory } }).exports;
      const other = native === undefined ? {} : bindNative(native, memory, loops ?? []);
      const all = { ...own, ...other } as WebAssembly.ModuleImports; // Functions of numbers, all of them.
      const { exports } = new WebAssembly.Instance(module, { env: { memory }, kernels: all });
      models.set(model, { programs: programs.map((name) => exports[name] as Run), sum: all["sumShards"] as Run });
      Atomics.store(control, 31 + index - 1, model);
    }
    wait();
  });
}

interface NodeModules {
  getBuiltinModule?(name: string): unknown;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

interface NodeWorker {
  postMessage(message: unknown): void;
  on(event: "error", listener: () => void): void;
  unref(): void;
}

function findHost(): Host | undefined {
  // Node's own modules are asked for at run time, so that the same file works in a browser.
  const { process } = globalThis as { process?: NodeModules };
  const asked = Number(process?.env?.["RECURRA_THREADS"] ?? Number.NaN);
  if (process?.getBuiltinModule !== undefined) {
    const threads = process.getBuiltinModule("node:worker_threads") as {
      Worker: new (source: string, options: object) => NodeWorker;
    };
    const os = process.getBuiltinModule("node:os") as { availableParallelism(): number };
    return {
      processors: Number.isInteger(asked) && asked >= 1 ? asked : os.availableParallelism(),
      start(source, control, index) {
        const prelude = `const { parentPort, workerData } = require("node:worker_threads");
const control = new Int32Array(workerData.control), index = workerData.index, load = require, listen = (receive) => parentPort.on("message", receive);`;
        const worker = new threads.Worker(`${prelude}\n${source}`, { eval: true, workerData: { control, index } });
        // A waiting worker does not keep the process alive; one that fails never says it is ready, and the others do its share.
        worker.unref();
        worker.on("error", () => undefined);
        return worker;
      },
    };
  }
  const scope = globalThis as {
    crossOriginIsolated?: boolean;
    Worker?: typeof Worker;
    navigator?: { hardwareConcurrency?: number };
  };
  if (scope.crossOriginIsolated !== true || scope.Worker === undefined) return undefined;
  const BrowserWorker = scope.Worker;
  return {
    processors: scope.navigator?.hardwareConcurrency ?? 1,
    start(source, control, index) {
      const prelude = `onmessage = ({ data }) => { const { control: shared, index } = data, control = new Int32Array(shared), load = undefined, listen = (receive) => { onmessage = ({ data }) => receive(data); };`;
      const worker = new BrowserWorker(
        URL.createObjectURL(new Blob([`${prelude}\n${source} };`], { type: "text/javascript" })),
      );
      worker.postMessage({ control, index });
      return worker;
    },
  };
}
