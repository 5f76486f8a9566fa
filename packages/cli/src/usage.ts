/** What is wrong with a command line, in our own words: commander finds it, this says it. */
import type { Command, CommanderError } from "commander";
import { nearest, OptionError } from "recurra";

export function usageError(error: CommanderError, program: Command, argv: readonly string[]): OptionError {
  const commands = program.commands.map((each) => each.name());
  const current = program.commands.find((each) => each.name() === argv[0]);
  const help = `see recurra ${current === undefined ? "" : `${current.name()} `}--help`;
  const named = /'([^']*)'/.exec(error.message)?.[1] ?? "";
  switch (error.code) {
    case "commander.unknownCommand":
      return unknown(`command "${named}"`, named, commands, help);
    case "commander.unknownOption": {
      const flags = (current ?? program).options.flatMap((option) => option.long ?? []);
      return unknown(`option ${named}`, named.replace(/=.*$/, ""), flags, help, false);
    }
    case "commander.optionMissingArgument": {
      const [flag, value] = named.split(/[ ,]+<|>/);
      return new OptionError({
        where: flag ?? named,
        given: "without a value",
        expected: `${flag} ${value ?? "VALUE"}`,
        mend: help,
      });
    }
    case "commander.missingArgument":
      return new OptionError({
        where: named,
        given: "missing",
        expected: `recurra ${current?.name() ?? ""} ${named} …`,
        mend: help,
      });
    case "commander.excessArguments":
      return new OptionError({
        where: "the command line",
        given: "longer than it may be",
        expected: `only ${usageOf(current ?? program)}`,
        mend: help,
      });
    case "commander.help":
      return new OptionError({
        where: "the command",
        given: "missing",
        expected: `one of ${commands.join(", ")}`,
        mend: help,
      });
    default:
      return new OptionError({
        where: "the command line",
        given: `not understood (${error.message.replace(/^error: /, "")})`,
        expected: usageOf(current ?? program),
        mend: help,
      });
  }
}

function unknown(where: string, name: string, known: readonly string[], help: string, list = true): OptionError {
  const near = nearest(name, known);
  return new OptionError({
    where,
    given: "unknown",
    expected: list ? `one of ${known.join(", ")}` : "an option of this command",
    mend: near === undefined ? help : `did you mean ${near}?`,
  });
}

function usageOf(command: Command): string {
  const names = command.registeredArguments.map((argument) => argument.name());
  return [command.name(), ...names].join(" ");
}
