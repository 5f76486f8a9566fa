/**
 * Files and folders that appear whole or not at all.
 *
 * Written beside their place under another name, flushed to the disk, renamed, and the rename flushed. All calls are
 * synchronous, so that Ctrl-C falls before or after and never into the middle.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { DataError, OptionError } from "recurra";

/** Replaces a file of the same name. */
export function writeFileWhole(path: string, content: Uint8Array): void {
  const unfinished = beside(path, "unfinished");
  attempt(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    try {
      writeFlushed(unfinished, content);
      renameSync(unfinished, path);
    } catch (error) {
      rmSync(unfinished, { force: true });
      throw error;
    }
    flushFolder(dirname(path));
  });
}

/** Replaces a folder of the same name; `checkFolder` says beforehand whether that is allowed. */
export function writeFolderWhole(path: string, files: ReadonlyMap<string, Uint8Array>): void {
  const unfinished = beside(path, "unfinished");
  const former = beside(path, "former");
  attempt(path, () => {
    mkdirSync(dirname(resolve(path)), { recursive: true });
    rmSync(unfinished, { recursive: true, force: true });
    try {
      mkdirSync(unfinished);
      for (const [name, content] of files) writeFlushed(join(unfinished, name), content);
      flushFolder(unfinished);
      moveInto(unfinished, path, former);
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true });
      throw error;
    }
    flushFolder(dirname(resolve(path)));
    rmSync(former, { recursive: true, force: true });
  });
}

function moveInto(unfinished: string, path: string, former: string): void {
  // A rename cannot replace a folder that holds files, so the old one steps aside, and back when this fails.
  const replaces = existsSync(path);
  if (replaces) renameSync(path, former);
  try {
    renameSync(unfinished, path);
  } catch (error) {
    if (replaces) renameSync(former, path);
    throw error;
  }
}

/**
 * Whether a model can be written to `path` later: checked before hours of training, not after.
 * @throws OptionError when something is there that must stay; DataError when nothing can be written there.
 */
export function checkFolder(path: string, overwrite: boolean): void {
  if (existsSync(path)) refuseOccupied(path, overwrite);
  checkWritable(path);
}

function refuseOccupied(path: string, overwrite: boolean): void {
  const isFolder = statSync(path).isDirectory();
  const names = isFolder ? readdirSync(path) : [];
  const isModel = names.includes("model.json");
  if (isFolder && (names.length === 0 || (overwrite && isModel))) return;
  throw new OptionError({
    where: `the folder for the model, ${path},`,
    given: isModel ? "there already" : isFolder ? "a folder of other files" : "a file",
    expected: "a new folder",
    mend: isModel ? "choose another with --out, or replace it with --overwrite" : "choose another with --out",
  });
}

function checkWritable(path: string): void {
  let parent = dirname(resolve(path));
  while (!existsSync(parent)) parent = dirname(parent);
  if (!statSync(parent).isDirectory()) {
    throw new OptionError({
      where: `the folder for the model, ${path},`,
      given: `inside ${parent}, which is a file`,
      expected: "a new folder",
      mend: "choose another with --out",
    });
  }
  attempt(path, () => accessSync(parent, constants.W_OK));
}

function writeFlushed(path: string, content: Uint8Array): void {
  const file = openSync(path, "w");
  try {
    for (let done = 0; done < content.length; ) done += writeSync(file, content, done);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function flushFolder(path: string): void {
  // Windows cannot open a folder; its renames are flushed by the file system.
  if (process.platform === "win32") return;
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** A hidden neighbour on the same file system. The process id keeps two runs apart. */
function beside(path: string, what: string): string {
  const whole = resolve(path);
  return join(dirname(whole), `.${basename(whole)}.${what}-${process.pid}`);
}

function attempt(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    throw new DataError({
      where: path,
      given: `not writable (${code})`,
      expected: "a place that can be written to",
      mend:
        code === "ENOSPC"
          ? "free some space on the disk"
          : "check the path and its permissions, or choose another with --out",
      cause: error,
    });
  }
}
