/** What plain data from a file must look like, and where it does not: the border between a file and our types. */

/** The first value that is not what it should be: "settings.horizon" is "12" but must be "1, 2, 3, …". */
export interface Misfit {
  readonly path: string;
  readonly given: string;
  readonly expected: string;
}

export type Shape = (value: unknown, path: string) => Misfit | undefined;

export const finite = numberThat("a number", Number.isFinite);
export const count = numberThat("1, 2, 3, …", (x) => Number.isInteger(x) && x >= 1);
export const countOrNone = numberThat("0, 1, 2, …", (x) => Number.isInteger(x) && x >= 0);
export const text: Shape = kind("string", "a text");
export const any: Shape = object({});

export function kind(name: "string" | "boolean", expected: string): Shape {
  return (value, path) => (typeof value === name ? undefined : { path, given: shown(value), expected });
}

export function numberThat(expected: string, holds: (value: number) => boolean): Shape {
  return (value, path) =>
    typeof value === "number" && holds(value) ? undefined : { path, given: shown(value), expected };
}

export function oneOf<T extends string>(...known: readonly T[]): Shape {
  return (value, path) =>
    known.some((name) => name === value)
      ? undefined
      : { path, given: shown(value), expected: `one of ${known.join(", ")}` };
}

/** What may be missing. */
export function optional(shape: Shape): Shape {
  return (value, path) => (value === undefined ? undefined : shape(value, path));
}

export function list(each: Shape): Shape {
  return (value, path) => {
    if (!Array.isArray(value)) return { path, given: shown(value), expected: "a list" };
    for (const [k, one] of value.entries()) {
      const misfit = each(one, `${path}[${k}]`);
      if (misfit !== undefined) return misfit;
    }
    return undefined;
  };
}

export function object(fields: Readonly<Record<string, Shape>>): Shape {
  return (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return { path, given: shown(value), expected: "an object" };
    const entries = new Map<string, unknown>(Object.entries(value));
    for (const [name, shape] of Object.entries(fields)) {
      const misfit = shape(entries.get(name), path === "" ? name : `${path}.${name}`);
      if (misfit !== undefined) return misfit;
    }
    return undefined;
  };
}

function shown(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
