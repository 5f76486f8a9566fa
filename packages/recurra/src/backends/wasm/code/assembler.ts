/** Writes WebAssembly modules: sections, functions and the instructions that the emitters use. Knows nothing of tensors. */

export const i32 = 0x7f;
export const f32 = 0x7d;
export const v128 = 0x7b;
export type ValueType = typeof i32 | typeof f32 | typeof v128;

/** Index of a local variable of one function. */
export type Local = number & { readonly brand: "Local" };
/** Index of a function in the module, imports first. */
export type FunctionIndex = number & { readonly brand: "FunctionIndex" };

/** Opcodes without immediates, by their names in the specification. These bits mark those behind the prefixes 0xfd and 0xfc. */
const simd = 0x10000;
const numeric = 0x20000;
export const op = {
  return: 0x0f,
  drop: 0x1a,
  "i32.eqz": 0x45,
  "i32.eq": 0x46,
  "i32.lt_s": 0x48,
  "i32.lt_u": 0x49,
  "i32.gt_s": 0x4a,
  "i32.ge_s": 0x4e,
  "i32.add": 0x6a,
  "i32.sub": 0x6b,
  "i32.mul": 0x6c,
  "i32.div_u": 0x6e,
  "i32.rem_u": 0x70,
  "i32.and": 0x71,
  "i32.or": 0x72,
  "i32.xor": 0x73,
  "i32.shl": 0x74,
  "i32.shr_s": 0x75,
  "i32.shr_u": 0x76,
  "f32.eq": 0x5b,
  "f32.add": 0x92,
  "f32.mul": 0x94,
  "f32.max": 0x97,
  "i32.trunc_sat_f32_s": numeric | 0x00,
  "f32.convert_i32_s": 0xb2,
  "i32x4.splat": simd | 0x11,
  "f32x4.splat": simd | 0x13,
  "f32x4.eq": simd | 0x41,
  "f32x4.lt": simd | 0x43,
  "f32x4.gt": simd | 0x44,
  "v128.not": simd | 0x4d,
  "v128.and": simd | 0x4e,
  "v128.or": simd | 0x50,
  "v128.xor": simd | 0x51,
  "v128.bitselect": simd | 0x52,
  "f32x4.floor": simd | 0x68,
  "f32x4.nearest": simd | 0x6a,
  "i32x4.eq": simd | 0x37,
  "i32x4.add": simd | 0xae,
  "i32x4.sub": simd | 0xb1,
  "i32x4.mul": simd | 0xb5,
  "i32x4.shl": simd | 0xab,
  "i32x4.shr_s": simd | 0xac,
  "i32x4.shr_u": simd | 0xad,
  "f32x4.abs": simd | 0xe0,
  "f32x4.neg": simd | 0xe1,
  "f32x4.sqrt": simd | 0xe3,
  "f32x4.add": simd | 0xe4,
  "f32x4.sub": simd | 0xe5,
  "f32x4.mul": simd | 0xe6,
  "f32x4.div": simd | 0xe7,
  "f32x4.min": simd | 0xe8,
  "f32x4.max": simd | 0xe9,
  "f32x4.pmin": simd | 0xea,
  "f32x4.pmax": simd | 0xeb,
  "i32x4.trunc_sat_f32x4_s": simd | 0xf8,
  "f32x4.convert_i32x4_s": simd | 0xfa,
  "f32x4.convert_i32x4_u": simd | 0xfb,
  "f32x4.relaxed_madd": simd | 0x105,
} as const;
export type Opcode = keyof typeof op;

/** The body of one function, instruction by instruction. */
export class Code {
  readonly bytes: number[] = [];
  readonly locals: ValueType[] = [];
  readonly #parameterCount: number;

  constructor(parameterCount: number) {
    this.#parameterCount = parameterCount;
  }

  parameter(index: number): Local {
    return index as Local; // Parameters are the first locals.
  }

  local(type: ValueType): Local {
    return (this.#parameterCount + this.locals.push(type) - 1) as Local; // Locals are numbered behind the parameters.
  }

  do(...names: readonly Opcode[]): this {
    for (let i = 0; i < names.length; i++) {
      const code = op[names[i]!];
      if (code < 0x100) this.bytes.push(code);
      else {
        this.bytes.push((code & simd) !== 0 ? 0xfd : 0xfc);
        pushUnsigned(this.bytes, code & 0xffff);
      }
    }
    return this;
  }

  get(local: Local): this {
    return this.#with(0x20, local);
  }
  set(local: Local): this {
    return this.#with(0x21, local);
  }
  tee(local: Local): this {
    return this.#with(0x22, local);
  }
  getGlobal(index: number): this {
    return this.#with(0x23, index);
  }
  setGlobal(index: number): this {
    return this.#with(0x24, index);
  }
  call(index: FunctionIndex): this {
    return this.#with(0x10, index);
  }

  i32(value: number): this {
    this.bytes.push(0x41);
    pushSigned(this.bytes, value);
    return this;
  }
  f32(value: number): this {
    this.bytes.push(0x43);
    pushFloat(this.bytes, value);
    return this;
  }
  f32x4(value: number): this {
    float[0] = value;
    const a = bytesOfFloat[0]!;
    const b = bytesOfFloat[1]!;
    const c = bytesOfFloat[2]!;
    const d = bytesOfFloat[3]!;
    this.bytes.push(0xfd, 12, a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d);
    return this;
  }
  i32x4(a: number, b: number, c: number, d: number): this {
    this.bytes.push(0xfd, 12);
    for (const lane of [a, b, c, d])
      this.bytes.push(lane & 255, (lane >> 8) & 255, (lane >> 16) & 255, (lane >> 24) & 255);
    return this;
  }

  i32Load(offset: number): this {
    return this.#access(0x28, offset);
  }
  f32Load(offset: number): this {
    return this.#access(0x2a, offset);
  }
  f32Store(offset: number): this {
    return this.#access(0x38, offset);
  }
  /** Four floats, one float in every lane, or one float in lane 0 and zeros. Alignment is a hint and not required. */
  vectorLoad(kind: "full" | "splat" | "one", offset: number): this {
    this.bytes.push(0xfd);
    return this.#access(kind === "full" ? 0 : kind === "splat" ? 9 : 92, offset);
  }
  vectorStore(kind: "full" | "one", offset: number): this {
    this.bytes.push(0xfd);
    this.#access(kind === "full" ? 11 : 90, offset);
    if (kind === "one") this.bytes.push(0);
    return this;
  }
  /** Lanes 1, 2, 3 of the lower vector, then lane 0 of the upper: both are on the stack. */
  shuffleDown(): this {
    this.bytes.push(0xfd, 13);
    for (let byte = 4; byte < 20; byte++) this.bytes.push(byte);
    return this;
  }
  extractLane(lane: number): this {
    this.bytes.push(0xfd, 0x1f, lane);
    return this;
  }

  /** Runs `body` until a `continueIf` inside it is not taken. */
  loop(body: () => void): this {
    this.bytes.push(0x03, 0x40);
    body();
    this.bytes.push(0x0b);
    return this;
  }
  /** Jumps back to the start of the loop `depth` levels out when the value on the stack is not 0. */
  continueIf(depth = 0): this {
    return this.#with(0x0d, depth);
  }
  /** Runs `body` when the value on the stack is not 0. */
  if(body: () => void, otherwise?: () => void): this {
    this.bytes.push(0x04, 0x40);
    body();
    if (otherwise !== undefined) {
      this.bytes.push(0x05);
      otherwise();
    }
    this.bytes.push(0x0b);
    return this;
  }
  /** `body` `count` times; the counter runs down from the local's value, which is 0 afterwards. Nothing when it is ≤ 0. */
  times(counter: Local, body: () => void): this {
    this.get(counter).i32(0).do("i32.gt_s");
    return this.if(() => {
      this.loop(() => {
        body();
        this.get(counter).i32(1).do("i32.sub").tee(counter).continueIf();
      });
    });
  }
  /** local += amount */
  advance(local: Local, amount: number): this {
    return this.get(local).i32(amount).do("i32.add").set(local);
  }

  /** A load or store, all of which claim an alignment of 4 bytes. */
  #access(code: number, offset: number): this {
    this.bytes.push(code, 2);
    pushUnsigned(this.bytes, offset);
    return this;
  }

  #with(code: number, index: number): this {
    this.bytes.push(code);
    pushUnsigned(this.bytes, index);
    return this;
  }
}

interface FunctionEntry {
  readonly name: string | undefined;
  readonly typeIndex: number;
  readonly code: Code;
}

export class ModuleAssembler {
  readonly #types: string[] = [];
  readonly #imports: { readonly module: string; readonly name: string; readonly typeIndex: number }[] = [];
  readonly #functions: FunctionEntry[] = [];
  #globals = 0;
  readonly #shared: boolean;

  /** `shared`: whether the memory it imports is shared between threads. */
  constructor(shared = false) {
    this.#shared = shared;
  }

  /** All imports come before the first function. */
  importFunction(
    module: string,
    name: string,
    parameters: readonly ValueType[],
    results: readonly ValueType[] = [],
  ): FunctionIndex {
    const index = this.#imports.push({ module, name, typeIndex: this.#type(parameters, results) }) - 1;
    return index as FunctionIndex; // Imported functions are numbered first.
  }

  /** Declares a function and writes it with `write`. `name` exports it. */
  function(name: string | undefined, parameters: readonly ValueType[], write: (code: Code) => void): FunctionIndex {
    const code = new Code(parameters.length);
    const entry = { name, typeIndex: this.#type(parameters, []), code };
    write(code);
    return (this.#imports.length + this.#functions.push(entry) - 1) as FunctionIndex; // Behind the imports.
  }

  /** A mutable i32 variable of the module. */
  global(): number {
    return this.#globals++;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const pieces: (readonly number[])[] = [[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]];
    const section = (id: number, items: number, content: readonly (readonly number[])[]) => {
      if (items === 0) return;
      const count = unsigned(items);
      pieces.push([id], unsigned(count.length + lengthOf(content)), count, ...content);
    };
    section(
      1,
      this.#types.length,
      this.#types.map((type) => type.split(",").map(Number)),
    );
    // A shared memory must say how far it may grow: 4 GiB.
    const limits = this.#shared ? [0x03, ...unsigned(1), ...unsigned(65536)] : [0x00, ...unsigned(1)];
    const memory = [text("env"), text("memory"), [0x02], limits];
    const imports = this.#imports.map((i) => [text(i.module), text(i.name), [0x00], unsigned(i.typeIndex)]);
    section(2, 1 + imports.length, [memory, ...imports].flat());
    section(
      3,
      this.#functions.length,
      this.#functions.map((f) => unsigned(f.typeIndex)),
    );
    section(
      6,
      this.#globals,
      Array.from({ length: this.#globals }, () => [i32, 1, 0x41, 0, 0x0b]),
    );
    const exports = this.#functions.flatMap((f, i) =>
      f.name === undefined ? [] : [[text(f.name), [0x00], unsigned(this.#imports.length + i)]],
    );
    section(7, exports.length, exports.flat());
    section(
      10,
      this.#functions.length,
      this.#functions.flatMap((f) => functionBody(f.code)),
    );
    const bytes = new Uint8Array(lengthOf(pieces));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  #type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const type = [0x60, parameters.length, ...parameters, results.length, ...results].join(",");
    const known = this.#types.indexOf(type);
    return known >= 0 ? known : this.#types.push(type) - 1;
  }
}

/** Its length, the runs of locals of one type, and the instructions. */
function functionBody(code: Code): readonly (readonly number[])[] {
  const runs: number[] = [];
  let [count, length] = [0, 0];
  code.locals.forEach((type, i) => {
    length++;
    if (code.locals[i + 1] === type) return;
    pushUnsigned(runs, length);
    runs.push(type);
    length = 0;
    count++;
  });
  const head = unsigned(count);
  return [unsigned(head.length + runs.length + code.bytes.length + 1), head, runs, code.bytes, [0x0b]];
}

const encoder = new TextEncoder();

function text(value: string): number[] {
  const bytes = Array.from(encoder.encode(value));
  return unsigned(bytes.length).concat(bytes);
}

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  pushUnsigned(bytes, value);
  return bytes;
}

function pushUnsigned(bytes: number[], value: number): void {
  let rest = value >>> 0;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
}

function pushSigned(bytes: number[], value: number): void {
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return;
  }
}

const float = new Float32Array(1);
const bytesOfFloat = new Uint8Array(float.buffer);

function pushFloat(bytes: number[], value: number): void {
  float[0] = value;
  for (let i = 0; i < 4; i++) bytes.push(bytesOfFloat[i]!);
}

function lengthOf(pieces: readonly (readonly number[])[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
