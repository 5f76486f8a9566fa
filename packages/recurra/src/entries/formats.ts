/** `recurra/formats`: a model with its preparation as bytes; tensors as safetensors. */
export {
  type NamedTensor,
  parseSafetensors,
  parseSafetensorsMetadata,
  writeSafetensors,
} from "../formats/safetensors.ts";
export {
  modelFromBytes,
  modelToBytes,
  restoreModel,
  type SavedModel,
  type SavedTraining,
  type SaveOptions,
} from "../storage/model.ts";
