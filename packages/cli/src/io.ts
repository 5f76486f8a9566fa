/** Everything the command line touches outside itself, as values: tests give their own. */

export interface Output {
  readonly write: (text: string) => void;
  /** Whether a person watches, so that a line may be drawn over. */
  readonly isTerminal: boolean;
  /** Width in characters. */
  readonly columns: () => number;
}

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Milliseconds of a clock that only moves forward. */
  readonly now: () => number;
  /** Calls the listener at every Ctrl-C until the returned function is called. */
  readonly onInterrupt: (listener: () => void) => () => void;
  /** Gives the system a turn, so that a pending Ctrl-C is seen. */
  readonly turn: () => Promise<void>;
  /** How people call this program again: `recurra`, or through npm when it was started so. */
  readonly command: string;
  /** Ends the program at once. */
  readonly exit: (code: number) => void;
}

export function processIo(): Io {
  return {
    stdout: output(process.stdout),
    stderr: output(process.stderr),
    now: () => performance.now(),
    onInterrupt: (listener) => {
      process.on("SIGINT", listener);
      return () => process.off("SIGINT", listener);
    },
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    command: commandOf(process.env),
    exit: (code) => process.exit(code),
  };
}

/** Started by npm, the command need not be on the path of the shell; npx finds it. */
export function commandOf(env: Readonly<Record<string, string | undefined>>): string {
  return (env["npm_execpath"] ?? env["npm_lifecycle_event"]) === undefined ? "recurra" : "npx recurra";
}

function output(stream: NodeJS.WriteStream): Output {
  // A reader that has seen enough, as in `recurra train … | head`, is no failure, and no reason to lose the model.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  return {
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY === true,
    // A terminal that does not know its width says 0.
    columns: () => (stream.columns > 0 ? stream.columns : 80),
  };
}
