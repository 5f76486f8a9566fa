/** Parses the text of one option into its value, or says what the option takes. */
import { OptionError, unknownName } from "recurra";

export type Parse<T> = (flag: string, text: string) => T;

/** 1, 2, 3, … */
export const count: Parse<number> = (flag, text) => {
  const value = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(value) && value >= 1) return value;
  throw new OptionError({
    where: flag,
    given: shown(text),
    expected: "1, 2, 3, …",
    mend: `give ${flag} a whole number of at least 1`,
  });
};

/** 0, 1, 2, … */
export const seed: Parse<number> = (flag, text) => {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  throw new OptionError({
    where: flag,
    given: shown(text),
    expected: "0, 1, 2, …, 4294967295",
    mend: "any such number will do; the same one repeats the run",
  });
};

export const positive: Parse<number> = (flag, text) => {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new OptionError({
    where: flag,
    given: shown(text),
    expected: "a number above 0",
    mend: `give ${flag} a positive number such as 0.001 or 1`,
  });
};

export const zeroOrMore: Parse<number> = (flag, text) => {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new OptionError({
    where: flag,
    given: shown(text),
    expected: "0 or a number above it",
    mend: `give ${flag} a small number such as 0.0001, or 0 for none`,
  });
};

/** From 0 up to, not including, 1. */
export const share: Parse<number> = (flag, text) => {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value < 1) return value;
  throw new OptionError({
    where: flag,
    given: shown(text),
    expected: "a number from 0 up to, not including, 1",
    mend: "0.1 drops one value in ten, 0 none",
  });
};

export const text: Parse<string> = (flag, given) => {
  if (given.trim() !== "") return given;
  throw new OptionError({
    where: flag,
    given: "empty",
    expected: "a name",
    mend: `leave ${flag} out, or give it a value`,
  });
};

/** Names between commas; a name that holds a comma cannot be given. */
export const names: Parse<readonly string[]> = (flag, given) => {
  const all = given.split(",").map((name) => name.trim());
  const twice = all.find((name, index) => all.indexOf(name) !== index);
  if (!all.includes("") && twice === undefined) return all;
  throw new OptionError({
    where: flag,
    given: shown(given),
    expected: twice === undefined || twice === "" ? "names between commas" : `each name once, not "${twice}" again`,
    mend: `write ${flag} a,b,c, in quotes when a name holds a space`,
  });
};

/** One name, or several between commas. */
export const nameOrNames: Parse<string | readonly string[]> = (flag, given) => {
  const all = names(flag, given);
  return all.length === 1 ? all[0]! : all;
};

export function choice<T extends string>(known: readonly T[]): Parse<T> {
  return (flag, given) => {
    const found = known.find((name) => name === given);
    if (found !== undefined) return found;
    throw unknownName(flag, given, known);
  };
}

export const yesOrNo: Parse<boolean> = (flag, given) => choice(["yes", "no"])(flag, given) === "yes";

export function autoNoneOr<T extends string>(known: readonly T[]): Parse<"auto" | "none" | readonly T[]> {
  return (flag, given) => {
    if (given === "auto" || given === "none") return given;
    return names(flag, given).map((name) => {
      const found = known.find((feature) => feature === name);
      if (found !== undefined) return found;
      throw unknownName(flag, name, ["auto", "none", ...known]);
    });
  };
}

/** Ascending levels between 0 and 1. */
export const quantiles: Parse<readonly number[]> = (flag, given) => {
  const levels = given.split(",").map((level) => (level.trim() === "" ? Number.NaN : Number(level)));
  const bad = levels.findIndex((level, k) => !(level > 0 && level < 1) || level <= (levels[k - 1] ?? 0));
  if (bad < 0) return levels;
  throw new OptionError({
    where: flag,
    given: shown(given),
    expected: "ascending numbers between 0 and 1",
    mend: `${shown(given.split(",")[bad] ?? "")} does not fit; write for example ${flag} 0.1,0.5,0.9`,
  });
};

export interface Split {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}

/** Three parts of the time axis: shares that sum to at most 1, or whole numbers of timesteps. All but training may be 0. */
export const split: Parse<Split> = (flag, given) => {
  const parts = given.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const [train, validation, test] = parts;
  const sum = parts.reduce((total, part) => total + part, 0);
  const shares = sum <= 1 + 1e-9;
  const counts = parts.every(Number.isSafeInteger);
  if (parts.length === 3 && parts.every((part) => part >= 0) && train! > 0 && (shares || counts))
    return { train: train!, validation: validation!, test: test! };
  throw new OptionError({
    where: flag,
    given: shown(given),
    expected: "three shares that sum to at most 1, or three whole numbers of timesteps, with a training part",
    mend: `write for example ${flag} 0.7,0.1,0.2 or ${flag} 8640,2880,2880: training, validation, test`,
  });
};

function shown(given: string): string {
  return given.trim() === "" ? `"${given}"` : given;
}
