/** Plain data as JSON that reads back as it was, to the bit. */
import { DataError } from "../base/errors.ts";

/**
 * The JSON of texts, finite numbers, true, false, null, and of lists and objects of them; a field that is undefined is left out. `where` names
 * the value in messages.
 * @throws DataError for anything else, which JSON would drop or change without a word: NaN, a typed array, a Map, a Date.
 */
export function plainJson(value: unknown, where: string): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  // JSON.stringify writes −0 as 0, though JSON.parse reads it.
  if (typeof value === "number" && Number.isFinite(value)) return Object.is(value, -0) ? "-0" : JSON.stringify(value);
  if (Array.isArray(value)) return `[${Array.from(value, (one, k) => plainJson(one, `${where}[${k}]`)).join()}]`;
  if (isPlainObject(value)) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${plainJson(field, `${where}.${name}`)}`).join()}}`;
  }
  throw new DataError({
    where,
    given: shown(value),
    expected: "plain data: texts, finite numbers, true, false, null, lists and objects of them",
    mend: "give a list for a typed array (Array.from), an object for a Map (Object.fromEntries), a text or number for anything else",
  });
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function shown(value: unknown): string {
  if (typeof value === "object" && value !== null) return `a ${value.constructor.name}`;
  return typeof value === "function" ? "a function" : String(value);
}
