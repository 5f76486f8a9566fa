/** What the library noticed about this process, told once per run: it prints nothing itself. */
import type { Io } from "../io.ts";
import type { Library } from "../library.ts";

/** A note for people on stderr; with --json an event on stdout besides. */
export function tellNotices(io: Io, library: Pick<Library, "notices">, json: boolean): void {
  for (const { kind, text, mend } of library.notices()) {
    io.stderr.write(`note: ${text} (${mend})\n`);
    if (json) io.stdout.write(`${JSON.stringify({ event: "notice", kind, message: text, mend })}\n`);
  }
}
