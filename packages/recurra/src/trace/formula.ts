/** Prints a cell as mathematics, from its traced equations: `f = σ(W_f·x + R_f·h + b_f)`. */
import { scalarType } from "../base/shapes.ts";
import { isBinary, isUnary, type Node, type NodeId, type NodeOf, operands } from "../ir/nodes.ts";
import type { Cell, CellSizes } from "./cell.ts";
import { type ParameterSpec, Scope } from "./scope.ts";
import { type Notation, type Tensor, Trace } from "./tensor.ts";

export interface CellFormula {
  /** One equation a line, in the order in which they are computed. A prime marks the state after the step. */
  readonly lines: readonly string[];
  readonly parameters: readonly ParameterSpec[];
}

/** The equations of one timestep for one row of the batch, while predicting or while training. */
export function formulaOf(
  cell: Cell,
  sizes: CellSizes = { inputSize: 6, hiddenSize: 8 },
  { training = false }: { readonly training?: boolean } = {},
): CellFormula {
  const trace = new Trace();
  const scope = new Scope({ trace, training, seed: trace.input("seed", scalarType) });
  const row = (name: string, size: number) => trace.input(name, { axes: ["batch"], shape: [size] });
  const states = Object.fromEntries(cell.states.map((state) => [state, row(state, cell.stateSize(state, sizes))]));
  const next = cell.bind(scope, sizes)(row("x", sizes.inputSize), states);
  const names = [...cell.states, ...cell.results];
  const writer = new Writer(
    trace,
    cell,
    names.map((name) => [name, next[name]!] as const),
  );
  return { lines: writer.lines(), parameters: scope.parameters };
}

/** How tightly an expression binds: what stands inside a tighter one gets brackets. */
const binding = { sum: 1, product: 2, factor: 3 } as const;
type Binding = (typeof binding)[keyof typeof binding];

interface Expression {
  readonly text: string;
  readonly binds: Binding;
}

/** What a gate or a candidate is a function by. */
const activations: ReadonlySet<string> = new Set(["tanh", "sigmoid", "relu", "leakyRelu"]);

/** Parameters whose names are those of Greek letters. */
const greek: Readonly<Record<string, string>> = { zeta: "ζ", nu: "ν", theta: "θ" };

class Writer {
  readonly #trace: Trace;
  readonly #cell: Cell;
  readonly #results: readonly (readonly [string, NodeId])[];
  readonly #names = new Map<NodeId, string>();

  constructor(trace: Trace, cell: Cell, results: readonly (readonly [string, Tensor])[]) {
    this.#trace = trace;
    this.#cell = cell;
    this.#results = results.map(([name, tensor]) => [name, tensor.id]);
    this.#nameValues();
  }

  lines(): string[] {
    const lines = [...this.#names]
      .sort(([a], [b]) => a - b)
      .map(([id, name]) => `${name} = ${this.#expression(id).text}`);
    // A result that is only another value under a second name, or a value from before the step.
    const others = this.#results.flatMap(([name, id]) =>
      this.#names.get(id) === this.#after(name) ? [] : [`${this.#after(name)} = ${this.#write(id, binding.sum)}`],
    );
    return [...lines, ...others];
  }

  /** Next states and results, what has a name given, and gates: functions of a sum that holds weights of one block. */
  #nameValues(): void {
    const used = this.#visible();
    for (const [name, id] of this.#results) {
      if (!this.#names.has(id) && !isLeaf(this.#node(id))) this.#names.set(id, this.#after(name));
    }
    const taken = new Set(this.#names.values());
    for (const nameOf of [(id: NodeId) => this.#note(id)?.name, (id: NodeId) => this.#gateName(id)]) {
      for (const id of used) {
        const name = this.#names.has(id) ? undefined : nameOf(id);
        if (name === undefined || taken.has(name)) continue;
        taken.add(name);
        this.#names.set(id, name);
      }
    }
  }

  /** Nodes that are written out, in order: what stands behind the notation of a call is not. */
  #visible(): NodeId[] {
    const seen = new Set<NodeId>();
    const visit = (id: NodeId) => {
      if (seen.has(id)) return;
      seen.add(id);
      for (const part of this.#parts(id)) visit(part);
    };
    for (const [, id] of this.#results) visit(id);
    return [...seen].sort((a, b) => a - b);
  }

  #parts(id: NodeId): readonly NodeId[] {
    const call = this.#note(id)?.call;
    if (call === undefined) return operands(this.#node(id));
    return call.of.flatMap((part) => (typeof part === "number" ? [] : [part.id]));
  }

  #gateName(id: NodeId): string | undefined {
    if (!activations.has(this.#note(id)?.call?.name ?? this.#node(id).kind)) return undefined;
    for (const term of this.#terms(this.#parts(id)[0]!)) {
      const product = this.#node(term);
      const leaf = product.kind === "matmul" ? this.#node(product.weight) : product;
      const block = leaf.kind === "param" ? /^(?:W|b)\.(.*)$/.exec(leaf.name)?.[1] : undefined;
      if (block !== undefined) return this.#cell.states.includes(block) ? `${block}\u0303` : block;
    }
    return undefined;
  }

  #terms(id: NodeId): readonly NodeId[] {
    const node = this.#node(id);
    if (node.kind === "reshape") return this.#terms(node.x);
    return node.kind === "add" ? [...this.#terms(node.a), ...this.#terms(node.b)] : [id];
  }

  #after(result: string): string {
    return this.#cell.states.includes(result) ? `${result}′` : result;
  }

  #write(id: NodeId, inside: Binding): string {
    const name = this.#names.get(id);
    if (name !== undefined) return name;
    const { text, binds } = this.#expression(id);
    return binds < inside ? `(${text})` : text;
  }

  #expression(id: NodeId): Expression {
    const node = this.#node(id);
    const call = this.#note(id)?.call;
    const at = (operand: NodeId, inside: Binding) => this.#write(operand, inside);
    const whole = (text: string) => ({ text, binds: binding.factor });
    const apply = (name: string, ...of: readonly NodeId[]) =>
      whole(`${name}(${of.map((operand) => at(operand, binding.sum)).join(", ")})`);
    if (call?.name === "ᵀ") return whole(`${at((call.of[0] as Tensor).id, binding.factor)}ᵀ`); // transpose names a tensor
    if (call?.name === "∗") {
      const [weight, image] = call.of.map((part) => at((part as Tensor).id, binding.factor)); // conv2d names two tensors
      return { text: `${weight}∗${image}`, binds: binding.product };
    }
    if (call !== undefined)
      return whole(
        `${call.name}(${call.of.map((part) => (typeof part === "number" ? String(part) : at(part.id, binding.sum))).join(", ")})`,
      );
    if (isUnary(node)) {
      if (node.kind === "neg") return { text: `−${at(node.x, binding.product)}`, binds: binding.product };
      if (node.kind === "abs") return whole(`|${at(node.x, binding.sum)}|`);
      const name = { sigmoid: "σ", sqrt: "√" }[node.kind as string] ?? node.kind;
      return apply(name, node.x);
    }
    if (isBinary(node)) {
      const { kind, a, b } = node;
      if (kind === "max" || kind === "min") return apply(kind, a, b);
      if (kind === "less") return whole(`[${at(a, binding.sum)} < ${at(b, binding.sum)}]`);
      if (kind === "equal") return whole(`[${at(a, binding.sum)} = ${at(b, binding.sum)}]`);
      if (kind === "div")
        return { text: `${at(a, binding.product)} / ${at(b, binding.factor)}`, binds: binding.product };
      if (kind === "mul") {
        if (a === b) return whole(`${at(a, binding.factor)}²`);
        const sign = this.#isNumber(a) || this.#isNumber(b) ? "·" : " ⊙ ";
        const factor = (operand: NodeId) =>
          at(operand, this.#node(operand).kind === "matmul" ? binding.factor : binding.product);
        return { text: `${factor(a)}${sign}${factor(b)}`, binds: binding.product };
      }
      if (kind === "sub") return { text: `${at(a, binding.sum)} − ${at(b, binding.product)}`, binds: binding.sum };
      const negated =
        !this.#names.has(b) && this.#node(b).kind === "neg" ? (this.#node(b) as { x: NodeId }).x : undefined;
      if (negated !== undefined)
        return { text: `${at(a, binding.sum)} − ${at(negated, binding.product)}`, binds: binding.sum };
      return { text: `${at(a, binding.sum)} + ${at(b, binding.sum)}`, binds: binding.sum };
    }
    switch (node.kind) {
      case "input":
        return whole(node.name);
      case "param":
        return whole(greek[node.name] ?? node.name.replaceAll(".", "_"));
      case "literal":
        return whole(
          String(Number(node.value.toPrecision(5)))
            .replace("-", "−")
            .replace("Infinity", "∞"),
        );
      case "matmul":
        return {
          text: `${at(node.weight, binding.factor)}${node.transposed ? "ᵀ" : ""}·${at(node.x, binding.factor)}`,
          binds: binding.product,
        };
      case "select":
        return whole(
          `{${at(node.a, binding.sum)} where ${at(node.condition, binding.sum)}, else ${at(node.b, binding.sum)}}`,
        );
      case "concat":
        return whole(`[${node.parts.map((part) => at(part, binding.sum)).join("; ")}]`);
      case "slice":
        return whole(`${at(node.x, binding.factor)}[${this.#part(node)}]`);
      case "random":
        return whole("uniform(0, 1)");
      case "reshape":
        // A row of numbers stood upright.
        if (node.shape.length === 2) return whole(`${at(node.x, binding.factor)}ᵀ`);
        return this.#same(node.x);
      case "broadcast":
      case "stopGradient":
        return this.#same(node.x);
      default:
        return apply(node.kind, ...operands(node));
    }
  }

  #same(id: NodeId): Expression {
    const name = this.#names.get(id);
    return name === undefined ? this.#expression(id) : { text: name, binds: binding.factor };
  }

  /** "2 of 4" for the second of four equal parts, else the range of features. */
  #part({ x, dim, start, size }: NodeOf<"slice">): string {
    const whole = this.#trace.builder.typeOf(x).shape[dim]!;
    if (whole % size === 0 && start % size === 0) return `${start / size + 1} of ${whole / size}`;
    return `${start} … ${start + size - 1}`;
  }

  #isNumber(id: NodeId): boolean {
    const { axes, shape } = this.#trace.builder.typeOf(id);
    return axes.length === 0 && shape.every((size) => size === 1);
  }

  #node(id: NodeId): Node {
    return this.#trace.builder.nodeOf(id);
  }

  #note(id: NodeId): Notation | undefined {
    return this.#trace.notation.get(id);
  }
}

function isLeaf(node: Node): boolean {
  return node.kind === "input" || node.kind === "param" || node.kind === "literal";
}
