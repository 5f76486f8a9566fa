/** A model on disk: the files the library made, the chart, and how its data was read. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { FormatError, RecurraError } from "recurra";
import type { Forecaster, LoadForecaster } from "recurra/tasks";
import { layouts, plainReading, type Reading } from "../read/request.ts";
import { writeFolderWhole } from "./atomic.ts";

export const chartName = "forecast.svg";
const readingName = "reading.json";

export interface StoredModel {
  readonly forecaster: Forecaster;
  readonly reading: Reading;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export function saveModel(path: string, forecaster: Forecaster, chart: string | undefined, reading: Reading): void {
  const bytes = new TextEncoder();
  const files = new Map(forecaster.toFiles());
  if (chart !== undefined) files.set(chartName, bytes.encode(chart));
  // The format stays out: the next file says its own by its ending.
  const { header, layout, timeFormat } = reading;
  files.set(readingName, bytes.encode(`${JSON.stringify({ header, layout, timeFormat }, null, 2)}\n`));
  writeFolderWhole(path, files);
}

export function loadModel(path: string, loadForecaster: LoadForecaster): StoredModel {
  if (!existsSync(path))
    throw notAModel(path, "missing", "check the path; relative paths start at the working directory");
  if (!statSync(path).isDirectory()) {
    const folder =
      basename(path) === "model.json" ? "name the folder that holds it" : "name the folder that recurra train wrote";
    throw notAModel(path, "a file", folder);
  }
  const names = readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []));
  if (!names.includes("model.json"))
    throw notAModel(path, "a folder without model.json", "name the folder that recurra train wrote");
  const files = new Map(names.map((name) => [name, new Uint8Array(readFileSync(join(path, name)))]));
  const stored = files.get(readingName);
  const reading = stored === undefined ? plainReading : parseStoredReading(join(path, readingName), stored);
  for (const own of [chartName, readingName]) files.delete(own);
  return { forecaster: loaded(path, files, loadForecaster), reading, files };
}

function loaded(path: string, files: ReadonlyMap<string, Uint8Array>, loadForecaster: LoadForecaster): Forecaster {
  try {
    return loadForecaster(files);
  } catch (error) {
    if (!(error instanceof RecurraError)) throw error;
    // The library sees file names only; a person wants to know in which folder.
    const { given, expected, mend } = error;
    throw new FormatError({ where: `${path}: ${error.where}`, given, expected, mend, cause: error });
  }
}

function parseStoredReading(path: string, content: Uint8Array): Reading {
  const wrong = (given: string) =>
    new FormatError({
      where: path,
      given,
      expected: "what recurra train wrote",
      mend: "delete the file and give the options again: --no-header, --layout, --time-format",
    });
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(content));
  } catch {
    throw wrong("not JSON");
  }
  if (typeof parsed !== "object" || parsed === null) throw wrong("not an object");
  const { header, layout, timeFormat }: { header?: unknown; layout?: unknown; timeFormat?: unknown } = parsed;
  const knownLayout = layouts.find((name) => name === layout);
  if (knownLayout === undefined) throw wrong(`of layout ${JSON.stringify(layout)}`);
  if (typeof header !== "boolean") throw wrong("without header");
  if (timeFormat !== undefined && typeof timeFormat !== "string") throw wrong("of a timeFormat that is no text");
  return { format: undefined, header, layout: knownLayout, timeFormat };
}

function notAModel(path: string, given: string, mend: string): FormatError {
  return new FormatError({ where: `the model ${path}`, given, expected: "a folder that recurra train wrote", mend });
}
