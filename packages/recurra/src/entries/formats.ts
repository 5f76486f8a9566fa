/** `recurra/formats`: weights as safetensors. */
export { type NamedTensor, parseSafetensors, writeSafetensors } from "../formats/safetensors.ts";
