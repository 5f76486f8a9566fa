/**
 * The safetensors format: named float32 tensors in one file. Eight bytes of header length (little endian), a JSON header
 * { name: { dtype, shape, data_offsets } }, then the numbers, little endian, row-major.
 */
import { FormatError } from "../base/errors.ts";
import { product } from "../base/shapes.ts";

export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The same tensors give the same bytes: names are sorted. `metadata` are strings kept in the header. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const names = [...tensors.keys()].sort();
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { __metadata__: metadata };
  let offset = 0;
  for (const name of names) {
    const { shape, data } = tensors.get(name)!;
    const end = offset + data.length * 4;
    header[name] = { dtype: "F32", shape, data_offsets: [offset, end] };
    offset = end;
  }
  // Padded with spaces so that the numbers begin at a multiple of 8, as the format recommends.
  const text = JSON.stringify(header);
  const headerBytes = new TextEncoder().encode(
    text + " ".repeat((8 - (new TextEncoder().encode(text).length % 8)) % 8),
  );
  const bytes = new Uint8Array(8 + headerBytes.length + offset);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(headerBytes.length), true);
  bytes.set(headerBytes, 8);
  let position = 8 + headerBytes.length;
  for (const name of names) {
    for (const value of tensors.get(name)!.data) {
      view.setFloat32(position, value, true);
      position += 4;
    }
  }
  return bytes;
}

/** @throws FormatError when the bytes are not a whole safetensors file of float32 tensors. `source` names it in messages. */
export function parseSafetensors(bytes: Uint8Array, source: string): ReadonlyMap<string, NamedTensor> {
  const { header, start, view } = open(bytes, source);
  const tensors = new Map<string, NamedTensor>();
  let last = 0;
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const found = asEntry(entry);
    if (found === undefined) throw broken(source, `without dtype F32, shape and offsets for "${name}"`);
    const { shape, begin, end } = found;
    if (end - begin !== product(shape) * 4 || start + end > bytes.length)
      throw broken(source, `cut off inside "${name}"`);
    const data = Float32Array.from({ length: product(shape) }, (_, i) => view.getFloat32(start + begin + i * 4, true));
    tensors.set(name, { shape, data });
    last = Math.max(last, end);
  }
  const behind = bytes.length - start - last;
  if (behind > 0) throw broken(source, `with ${behind} bytes behind its last tensor`);
  return tensors;
}

/** The metadata of a safetensors file; empty where it has none. @throws FormatError when its header cannot be read. */
export function parseSafetensorsMetadata(bytes: Uint8Array, source: string): Readonly<Record<string, string>> {
  const metadata = open(bytes, source).header["__metadata__"] ?? {};
  const entries = typeof metadata === "object" ? Object.entries(metadata) : undefined;
  if (entries === undefined || entries.some(([, value]) => typeof value !== "string"))
    throw broken(source, "with metadata that are no texts");
  return Object.fromEntries(entries) as Record<string, string>; // Just checked.
}

interface Opened {
  readonly header: Readonly<Record<string, unknown>>;
  /** Of the numbers. */
  readonly start: number;
  readonly view: DataView;
}

function open(bytes: Uint8Array, source: string): Opened {
  if (bytes.length < 8) throw broken(source, `${bytes.length} bytes long`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  if (start > bytes.length) throw broken(source, "cut off inside its header");
  const header = parseHeader(bytes.subarray(8, start));
  if (header === undefined) throw broken(source, "without a readable header");
  return { header, start, view };
}

function broken(source: string, given: string): FormatError {
  return new FormatError({
    where: source,
    given,
    expected: "a whole safetensors file of float32 tensors",
    mend: "copy the file again from where it was saved",
  });
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined; // Just checked to be an object.
  } catch {
    return undefined; // The caller reports it with the name of the file.
  }
}

function asEntry(entry: unknown): { shape: number[]; begin: number; end: number } | undefined {
  if (
    typeof entry !== "object" ||
    entry === null ||
    !("dtype" in entry) ||
    !("shape" in entry) ||
    !("data_offsets" in entry)
  )
    return undefined;
  const { dtype, shape, data_offsets: offsets } = entry;
  const isSizes = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((size) => Number.isInteger(size) && size >= 0);
  if (dtype !== "F32" || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) return undefined;
  return { shape, begin: offsets[0]!, end: offsets[1]! };
}
