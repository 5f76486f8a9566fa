/** The commands and their flags, and the way from arguments to an exit code. */
import { Command, CommanderError } from "commander";
import type { ForecastOptions } from "recurra/tasks";
import { reportFailure } from "./failure.ts";
import { type Context, exitCodes } from "./library.ts";
import { type CompareFlags, compareGroups, compareRows } from "./options/compare.ts";
import { forecastFields, forecastGroups, forecastRows } from "./options/forecast.ts";
import { type ReadingFlags, readingRows } from "./options/reading.ts";
import { usageError } from "./usage.ts";
import { version } from "./version.ts";

/** Commands are imported when they run: `recurra --help` waits for neither the database nor the compiler. */
export async function runProgram(argv: readonly string[], context: Context): Promise<number> {
  let code: number = exitCodes.done;
  const program = buildProgram(context, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done; // help and version
    const failure = error instanceof CommanderError ? usageError(error, program, argv) : error;
    return reportFailure(failure, context, argv.includes("--json"));
  }
}

type Flags = Readonly<Record<string, string | boolean | undefined>>;

function buildProgram(context: Context, finish: (code: number) => void): Command {
  const { io } = context;
  const program = new Command("recurra")
    .description("Recurrent networks on your data: train, predict, evaluate.")
    .version(version)
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: () => {}, // told in our own words by reportFailure
      getOutHelpWidth: () => Math.min(100, io.stdout.columns()),
    })
    .addHelpText(
      "after",
      `\nExample:\n  recurra train data.csv --target OT --horizon 24 --past 96\n  recurra predict runs/data-OT new.csv --out forecast.csv`,
    );

  const train = command(program, "train", "train a forecaster on files or a query").argument(
    "[FILE...]",
    "data files or globs",
  );
  addForecast(train, forecastGroups);
  addReading(train.optionsGroup("Reading:"))
    .optionsGroup("Results:")
    .option("--out <FOLDER>", "folder of the model (default: runs/<file>-<target>)")
    .option("--overwrite", "replace a model that is there already")
    .option("--dry-run", "say what training would take, in operations, bytes and time; train and write nothing")
    .option("--json", "one JSON object per event")
    .option("--quiet", "no output but errors")
    .action(async (files: string[], flags: Flags) => {
      const module = await import("./commands/train.ts");
      finish(await module.train(files, forecastTexts(flags), flags as ReadingFlags, context)); // commander gives text for options with a value
    });

  const compare = command(program, "compare", "train several cells on the same data and seeds, and say which to use")
    .argument("[FILE...]", "data files or globs")
    .optionsGroup("Candidates:");
  for (const { flags, help } of compareRows) compare.option(flags, help);
  addForecast(compare, compareGroups);
  addReading(compare.optionsGroup("Reading:"))
    .optionsGroup("Results:")
    .option("--out <FILE>", "write a report, as Markdown (.md) or as a chart of the errors (.svg)")
    .option("--json", "one JSON object per event")
    .action(async (files: string[], flags: Flags) => {
      const module = await import("./commands/compare.ts");
      finish(await module.compare(files, forecastTexts(flags), flags as ReadingFlags & CompareFlags, context)); // as above
    });

  withModel(program, "predict", "forecast what follows the end of the data")
    .option("--out <FILE>", "write CSV to this file (default: to the terminal)")
    .option("--json", "one JSON object per forecast timestep")
    .action(async (model: string, files: string[], flags: ReadingFlags) => {
      const module = await import("./commands/predict.ts");
      finish(await module.predict(model, files, flags, context));
    });

  withModel(program, "evaluate", "errors on every window of the data, beside the naive forecasts")
    .option("--json", "one JSON object")
    .action(async (model: string, files: string[], flags: ReadingFlags) => {
      const module = await import("./commands/evaluate.ts");
      finish(await module.evaluate(model, files, flags, context));
    });

  withModel(program, "backtest", "errors of forecasts from one origin after the other")
    .option("--origins <N>", "how many origins, the last one a horizon before the end")
    .option("--step <K>", "timesteps between two origins")
    .option("--json", "one JSON object per origin")
    .action(async (model: string, files: string[], flags: ReadingFlags) => {
      const module = await import("./commands/backtest.ts");
      finish(await module.backtest(model, files, flags, context));
    });

  command(program, "show", "what a model is, was trained on and reached")
    .argument("<MODEL>", "folder of the model")
    .option("--json", "one JSON object")
    .action(async (model: string, flags: { readonly json?: boolean }) => {
      const module = await import("./commands/show.ts");
      finish(await module.show(model, flags, context));
    });

  command(program, "doctor", "what this machine offers, what recurra uses of it, and how fast that is")
    .option("--json", "one JSON object")
    .action(async (flags: { readonly json?: boolean }) => {
      const module = await import("./commands/doctor.ts");
      finish(await module.doctor(flags, context));
    });
  return program;
}

function command(program: Command, name: string, description: string): Command {
  return program.command(name).description(description);
}

function withModel(program: Command, name: string, description: string): Command {
  const made = command(program, name, description)
    .argument("<MODEL>", "folder of the model")
    .argument("[FILE...]", "data files or globs");
  return addReading(made);
}

function addForecast(made: Command, groups: typeof forecastGroups): void {
  for (const [heading, fields] of Object.entries(groups)) {
    made.optionsGroup(heading);
    for (const field of fields) {
      const { flag, value, help } = forecastRows[field];
      made.option(value === undefined ? flag : `${flag} <${value}>`, help);
    }
  }
}

function addReading(made: Command): Command {
  for (const { flags, help } of readingRows) made.option(flags, help);
  return made;
}

/** Commander names an option after its flag; the rows name it after its field. */
function forecastTexts(flags: Flags): Partial<Record<keyof ForecastOptions, string | true>> {
  const texts: Partial<Record<keyof ForecastOptions, string | true>> = {};
  for (const field of forecastFields) {
    const name = forecastRows[field].flag.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    const value = flags[name];
    if (value !== undefined && value !== false) texts[field] = value;
  }
  return texts;
}
