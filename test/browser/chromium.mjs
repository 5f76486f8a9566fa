/** A page of ours in headless Chromium: served from folders, with or without shared memory, its result sent back as JSON. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const library = fileURLToPath(new URL("../../packages/recurra", import.meta.url));

/**
 * What the page posts to "/result". Files come from `folder`, the built library from "/dist/"; with `isolated`, memory may be shared
 * between threads. @throws when nothing comes within the limit, or Chromium ends before.
 */
export async function runPage({ chromium, folder, page, isolated, limitMs = 120_000 }) {
  const { server, result } = await serve(folder, isolated);
  const profile = mkdtempSync(join(tmpdir(), "recurra-chromium-"));
  const child = spawn(
    chromium,
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      `--user-data-dir=${profile}`,
      `http://127.0.0.1:${server.address().port}/${page}`,
    ],
    { stdio: "ignore" },
  );
  let timer;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no result within ${limitMs / 1000} s`)), limitMs);
    ended.then(() => reject(new Error("Chromium ended without a result")));
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
    late.catch(() => undefined);
    child.kill();
    await ended;
    server.close();
    server.closeAllConnections();
    // Its other processes may still write there for a moment.
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

async function serve(folder, isolated) {
  const headers = isolated
    ? { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }
    : {};
  let take;
  const result = new Promise((resolve) => {
    take = resolve;
  });
  const server = createServer((request, response) => {
    if (request.method === "POST" && request.url === "/result") {
      const parts = [];
      request.on("data", (part) => parts.push(part));
      request.on("end", () => {
        response.writeHead(204).end();
        take(JSON.parse(Buffer.concat(parts).toString()));
      });
      return;
    }
    const { pathname } = new URL(request.url, "http://localhost");
    const path = join(pathname.startsWith("/dist/") ? library : folder, pathname);
    if (!existsSync(path)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { ...headers, "content-type": path.endsWith(".html") ? "text/html" : "text/javascript" });
    response.end(readFileSync(path));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, result };
}
