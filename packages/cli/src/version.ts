/** The version of this package, from the file that npm reads. */
import { readFileSync } from "node:fs";

const description: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

export const version =
  typeof description === "object" && description !== null && "version" in description
    ? String(description.version)
    : "unknown";
