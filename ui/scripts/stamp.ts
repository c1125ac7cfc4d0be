import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

// As in hatch_build.py, which builds the page anew when its own hash of ui/ is another one.
const ASIDE = new Set(["node_modules", "dev", "test"]);
const TESTS = [".test.ts", ".test.tsx"];
const STAMP = "sources.sha256";

/** Paths below `folder`, each as its parts. */
function partsUnder(folder: string, above: string[] = []): string[][] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const parts = [...above, entry.name];
    if (entry.isDirectory()) return ASIDE.has(entry.name) ? [] : partsUnder(join(folder, entry.name), parts);
    return TESTS.some((ending) => entry.name.endsWith(ending)) ? [] : [parts];
  });
}

/** Part by part and byte by byte, as Python sorts paths. */
function byParts(a: string[], b: string[]): number {
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const order = Buffer.compare(Buffer.from(a[at] ?? ""), Buffer.from(b[at] ?? ""));
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function hashOf(sources: string): string {
  const digest = createHash("sha256");
  for (const parts of partsUnder(sources).sort(byParts)) {
    digest.update(parts.join("/"));
    digest.update(
      createHash("sha256")
        .update(readFileSync(join(sources, ...parts)))
        .digest(),
    );
  }
  return digest.digest("hex");
}

/** Notes beside the built page what it was built from, so that the next `pip install` does not build it again. */
export function stampSources(): Plugin {
  let sources = "";
  let outDir = "";
  return {
    name: "umbel-stamp-sources",
    apply: "build",
    configResolved({ root, build }) {
      sources = root;
      outDir = build.outDir;
    },
    closeBundle() {
      writeFileSync(join(outDir, STAMP), `${hashOf(sources)}\n`);
    },
  };
}
