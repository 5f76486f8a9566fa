/** Cells whose states are images: every product with a weight is a convolution. */
import { ShapeError } from "../base/errors.ts";
import { type Cell, type CellSizes, defineCell, type Sized } from "../trace/cell.ts";
import { conv2d } from "../trace/convolution.ts";
import { add, mul, reshape, sigmoid, sub, tanh } from "../trace/operations.ts";
import type { Tensor } from "../trace/tensor.ts";

export interface ConvolutionalOptions {
  /** Of the images, which keep their size from step to step. */
  readonly height: number;
  readonly width: number;
  /** Rows and columns of every kernel. Default 3. */
  readonly kernelSize?: number;
}

/**
 * Convolutional LSTM, for sequences of images. ∗ is a convolution with zeros around the image:
 *
 *     i  = σ(W_i∗x + R_i∗h + p_i ⊙ c + b_i)
 *     f  = σ(W_f∗x + R_f∗h + p_f ⊙ c + b_f)
 *     g  = tanh(W_g∗x + R_g∗h + b_g)
 *     c′ = f ⊙ c + i ⊙ g
 *     o  = σ(W_o∗x + R_o∗h + p_o ⊙ c′ + b_o)
 *     h′ = o ⊙ tanh(c′)
 *
 * Images are handed over as rows, channels innermost: x [batch, height · width · channels] and
 * hiddenSize = height · width · hidden channels (`flatten` makes such rows). W_i is
 * [hidden channels, kernelSize² · channels], b_i [hidden channels], p_i [hiddenSize].
 * Source: Shi et al. 2015, arXiv:1506.04214, eq. 3. Deviations: none.
 */
export function convLstm(options: ConvolutionalOptions): Cell {
  const image = imageOf("conv-lstm", options);
  return defineCell({
    name: "conv-lstm",
    state: ["h", "c"],
    blocks: ["i", "f", "g", "o"],
    shapes: image.shapes,
    initialize,
    families: { p: { shape: ({ hiddenSize }) => [hiddenSize], initializer: "zeros" } },
    step: ({ x, h, c }, { W, R, b, p }) => {
      const affine = (block: "i" | "f" | "g" | "o") =>
        image.rows(add(image.convolve(W[block], x), image.convolve(R[block], h), b[block]));
      const i = sigmoid(add(affine("i"), mul(p.i, c)));
      const f = sigmoid(add(affine("f"), mul(p.f, c)));
      const next = add(mul(f, c), mul(i, tanh(affine("g"))));
      const o = sigmoid(add(affine("o"), mul(p.o, next)));
      return { h: mul(o, tanh(next)), c: next };
    },
  });
}

/**
 * Convolutional GRU, for sequences of images:
 *
 *     z  = σ(W_z∗x + R_z∗h + b_z)
 *     r  = σ(W_r∗x + R_r∗h + b_r)
 *     h̃  = tanh(W_h∗x + R_h∗(r ⊙ h) + b_h)
 *     h′ = (1 − z) ⊙ h + z ⊙ h̃
 *
 * Images as in `convLstm`. Source: Ballas et al. 2016, arXiv:1511.06432, eq. 9 to 12. Deviations: biases.
 */
export function convGru(options: ConvolutionalOptions): Cell {
  const image = imageOf("conv-gru", options);
  return defineCell({
    name: "conv-gru",
    state: ["h"],
    blocks: ["z", "r", "h"],
    shapes: image.shapes,
    initialize,
    step: ({ x, h }, { W, R, b }) => {
      const affine = (block: "z" | "r" | "h", state: Tensor) =>
        image.rows(add(image.convolve(W[block], x), image.convolve(R[block], state), b[block]));
      const z = sigmoid(affine("z", h));
      const r = sigmoid(affine("r", h));
      const candidate = tanh(affine("h", mul(r, h)));
      return { h: add(mul(sub(1, z), h), mul(z, candidate)) };
    },
  });
}

/** Kernels that overlap are not orthogonal: both kinds of weights begin alike. */
const initialize = { R: "xavierUniform" } as const;

interface Image {
  readonly shapes: Readonly<Record<string, Sized<readonly number[]>>>;
  /** Rows to an image, through the kernel: [.., height, width, hidden channels]. */
  readonly convolve: (weight: Tensor, rows: Tensor) => Tensor;
  readonly rows: (image: Tensor) => Tensor;
}

function imageOf(name: string, { height, width, kernelSize = 3 }: ConvolutionalOptions): Image {
  const channels = (what: string, size: number) => {
    const count = size / (height * width);
    if (Number.isInteger(count)) return count;
    throw new ShapeError({
      where: `${name}: ${what}`,
      given: String(size),
      expected: `a multiple of ${height} · ${width}, the size of an image`,
      mend: "give rows of height · width · channels numbers",
    });
  };
  const hidden = ({ hiddenSize }: CellSizes) => channels("hiddenSize", hiddenSize);
  return {
    shapes: {
      W: (sizes) => [hidden(sizes), kernelSize ** 2 * channels("input size", sizes.inputSize)],
      R: (sizes) => [hidden(sizes), kernelSize ** 2 * hidden(sizes)],
      b: (sizes) => [hidden(sizes)],
    },
    convolve: (weight, rows) =>
      conv2d(weight, reshape(rows, height, width, channels("input size", rows.size)), { kernelSize }),
    rows: (image) => reshape(image, height * width * image.size),
  };
}
