/** `recurra show`: what a stored model is, was trained on and reached: its own card, without loading any data. */
import { loadModel } from "../files/model-folder.ts";
import { type Context, exitCodes } from "../library.ts";

export interface ShowFlags {
  readonly json?: boolean;
}

export async function show(model: string, flags: ShowFlags, { io, library }: Context): Promise<number> {
  const { forecaster, reading, files } = loadModel(model, library.loadForecaster);
  if (flags.json === true) {
    io.stdout.write(
      `${JSON.stringify({ event: "model", options: forecaster.options, reading, files: [...files.keys()] })}\n`,
    );
    return exitCodes.done;
  }
  const card = files.get("README.md");
  const told = card === undefined ? "" : `${new TextDecoder().decode(card).trimEnd()}\n\n`;
  const options = Object.entries(forecaster.options).map(([name, value]) => `  ${name}: ${inWords(value)}`);
  io.stdout.write(`${told}Options\n${options.join("\n")}\n`);
  return exitCodes.done;
}

function inWords(value: unknown): string {
  if (Array.isArray(value)) return value.map(inWords).join(", ");
  if (typeof value === "object" && value !== null)
    return Object.entries(value)
      .map(([name, part]) => `${name} ${inWords(part)}`)
      .join(", ");
  return String(value);
}
