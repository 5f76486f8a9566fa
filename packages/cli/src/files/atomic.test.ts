import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { folderWith, messageOf } from "../../test-support/files.ts";
import { checkFolder, writeFileWhole, writeFolderWhole } from "./atomic.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("writeFolderWhole", () => {
  it("writes every file, makes the folders above, and leaves nothing else behind", () => {
    const root = folderWith({});
    writeFolderWhole(
      `${root}/runs/a`,
      new Map([
        ["model.json", bytes("{}")],
        ["weights", bytes("w")],
      ]),
    );
    expect(readdirSync(`${root}/runs`)).toEqual(["a"]);
    expect(readdirSync(`${root}/runs/a`)).toEqual(["model.json", "weights"]);
    expect(readFileSync(`${root}/runs/a/weights`, "utf8")).toBe("w");
  });

  it("replaces a folder as a whole, without files of the former one", () => {
    const root = folderWith({ "a/model.json": "old", "a/more": "old" });
    writeFolderWhole(`${root}/a`, new Map([["model.json", bytes("new")]]));
    expect(readdirSync(root)).toEqual(["a"]);
    expect(readdirSync(`${root}/a`)).toEqual(["model.json"]);
  });

  it("keeps the former folder and leaves nothing half-written when a file cannot be written", async () => {
    const root = folderWith({ "a/model.json": "old" });
    const files = new Map([
      ["model.json", bytes("new")],
      ["no/such/folder", bytes("x")],
    ]);
    expect(await messageOf(root, () => writeFolderWhole(`${root}/a`, files))).toBe(
      "DataError: a is not writable (ENOENT), expected a place that can be written to.\nCheck the path and its permissions, or choose another with --out.",
    );
    expect(readdirSync(root)).toEqual(["a"]);
    expect(readFileSync(`${root}/a/model.json`, "utf8")).toBe("old");
  });
});

describe("writeFileWhole", () => {
  it("replaces a file and leaves nothing else behind", () => {
    const root = folderWith({ "out.csv": "old and longer" });
    writeFileWhole(`${root}/out.csv`, bytes("new"));
    expect(readdirSync(root)).toEqual(["out.csv"]);
    expect(readFileSync(`${root}/out.csv`, "utf8")).toBe("new");
  });

  it("says so when the place is a folder, and leaves nothing behind", async () => {
    const root = folderWith({ "out/x": "" });
    expect(await messageOf(root, () => writeFileWhole(`${root}/out`, bytes("new")))).toMatch(
      /^DataError: out is not writable \(\w+\), expected a place that can be written to\./,
    );
    expect(readdirSync(root)).toEqual(["out"]);
  });
});

describe("checkFolder", () => {
  it("allows a new or empty folder, and a former model with --overwrite", () => {
    const root = folderWith({ "model/model.json": "{}" });
    mkdirSync(`${root}/empty`);
    checkFolder(`${root}/new/deep`, false);
    checkFolder(`${root}/empty`, false);
    checkFolder(`${root}/model`, true);
    expect(existsSync(`${root}/new`)).toBe(false);
  });

  it("refuses a model, and other folders and files even with --overwrite", async () => {
    const root = folderWith({ "model/model.json": "{}", "photos/cat.jpg": "" });
    writeFileSync(`${root}/file`, "");
    expect(await messageOf(root, () => checkFolder(`${root}/model`, false))).toBe(
      "OptionError: the folder for the model, model, is there already, expected a new folder.\nChoose another with --out, or replace it with --overwrite.",
    );
    expect(await messageOf(root, () => checkFolder(`${root}/photos`, true))).toBe(
      "OptionError: the folder for the model, photos, is a folder of other files, expected a new folder.\nChoose another with --out.",
    );
    expect(await messageOf(root, () => checkFolder(`${root}/file`, true))).toBe(
      "OptionError: the folder for the model, file, is a file, expected a new folder.\nChoose another with --out.",
    );
  });
});
