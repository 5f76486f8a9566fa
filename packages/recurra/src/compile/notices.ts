/** What a person should know once about how this process computes. The library prints nothing: whoever talks to people asks. */
import { whyNotNative } from "./native.ts";

export interface Notice {
  readonly kind: "no native kernels";
  /** "runs on WebAssembly, without native kernels: @recurra/native is not installed". */
  readonly text: string;
  /** What to do about it. */
  readonly mend: string;
}

/**
 * Fallbacks of this process that somebody can mend: native kernels that are refused, not installed or broken. Empty where all is
 * well, and where nothing can be done, as in a browser. The answer is the same at every call; asking costs nothing.
 */
export function notices(): readonly Notice[] {
  const absence = whyNotNative();
  if (absence?.mend === undefined) return [];
  const text = `runs on WebAssembly, without native kernels: ${absence.reason}`;
  return [{ kind: "no native kernels", text, mend: absence.mend }];
}
