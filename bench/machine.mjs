/** The machine that a result belongs to. */
import { arch, cpus, platform, release, totalmem } from "node:os";

export function machine() {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? "unknown",
    processors: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    engine: `V8 ${process.versions.v8}`,
  };
}
