/** recurra: sequence models whose cells are equations. Entry points beside this one: cells, train, tasks, data, formats, inspect. */
export * from "./base/errors.ts";
export { createRandom, type Random } from "./base/random.ts";
export type { Axis, AxisSizes, TensorType } from "./base/shapes.ts";
export {
  chrono,
  forgetBias,
  type Initializer,
  type InitializerFunction,
  type InitializerName,
  initialValues,
} from "./init/initializers.ts";
export {
  type Attended,
  type Attention,
  type AttentionOptions,
  attention,
  type PreparedMemory,
  type ReadMemory,
} from "./layers/attention.ts";
export {
  type Convolution2dOptions,
  type ConvolutionOptions,
  convolution,
  convolution2d,
  flatten,
  pooling2d,
} from "./layers/convolution.ts";
export {
  type Decoded,
  type Decoder,
  type DecoderOptions,
  decoder,
  type Generated,
  type GenerateOptions,
} from "./layers/decoder.ts";
export type { DecodingOptions, Encoded } from "./layers/decoding.ts";
export { type DenseOptions, dense } from "./layers/dense.ts";
export { dropout, variationalDropout } from "./layers/dropout.ts";
export { type Embedding, type EmbeddingOptions, embedding } from "./layers/embedding.ts";
export { type Layer, sequential } from "./layers/layer.ts";
export { type Crf, crf } from "./layers/losses/crf.ts";
export { type CtcOptions, type CtcResult, ctc } from "./layers/losses/ctc.ts";
export {
  type CtcBeamOptions,
  type CtcDecoded,
  type CtcDecodeOptions,
  ctcBeamSearch,
  ctcBestPath,
} from "./layers/losses/ctc-decode.ts";
export { logGamma } from "./layers/losses/gamma.ts";
export {
  type Gaussian,
  gaussian,
  gaussianParameters,
  type NegativeBinomial,
  negativeBinomial,
  negativeBinomialParameters,
  poisson,
  type StudentT,
  studentT,
  studentTParameters,
} from "./layers/losses/likelihoods.ts";
export type { Loss } from "./layers/losses/loss.ts";
export { type Mixture, mixtureDensity, mixtureParameters } from "./layers/losses/mixture.ts";
export { cosineDistance, cosinePairs, cosineSimilarity, triplet } from "./layers/losses/similarity.ts";
export { binaryCrossEntropy, crossEntropy, huber, mae, mse, quantile } from "./layers/losses/usual.ts";
export {
  binaryFocal,
  type ClassOptions,
  type FocalOptions,
  focal,
  weightedCrossEntropy,
} from "./layers/losses/weighted.ts";
export {
  activationPenalty,
  temporalActivationPenalty,
  type WeightPenaltyOptions,
  weightPenalty,
} from "./layers/penalties.ts";
export {
  type Merge,
  type RecurrentLayer,
  type RecurrentOptions,
  type RecurrentResult,
  recurrent,
  type States,
} from "./layers/recurrent.ts";
export { repeat } from "./layers/repeat.ts";
export { type Draw, type SamplingOptions, sampleClasses, sampleLogits } from "./layers/sampling.ts";
export { highway, residual } from "./layers/shortcut.ts";
export {
  type DecodedValues,
  type EncodedValues,
  type ValueDecoder,
  type ValueDecoderOptions,
  valueDecoder,
} from "./layers/value-decoder.ts";
export { type Watched, type WatchedLayer, type WatchedOptions, watchedRecurrent } from "./layers/vanishing.ts";
export {
  type Cell,
  type CellDefinition,
  type CellInitializers,
  type CellSizes,
  type CellWeights,
  defineCell,
} from "./trace/cell.ts";
export * from "./trace/convolution.ts";
export * from "./trace/operations.ts";
export { type ScanOptions, type ScanResult, scan } from "./trace/scan.ts";
export { type ParameterSpec, Scope } from "./trace/scope.ts";
export { sequenceType, Tensor, type TensorLike, vectorType } from "./trace/tensor.ts";
