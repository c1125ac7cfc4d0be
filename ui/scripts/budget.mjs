// Fails when the page's scripts or styles, as sent (gzip), outgrow their budget. Run after `npm run build`.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const OUT = process.env.UMBEL_UI_OUT ?? "../src/umbel/ui_dist";
/** kB (1,000 bytes) of gzip. */
const BUDGETS = { "main script": 250, "all scripts": 350, styles: 60 };

const assets = join(OUT, "assets");
const html = readFileSync(join(OUT, "index.html"), "utf8");
const sizes = readdirSync(assets)
  .filter((name) => /\.(js|css)$/.test(name) && statSync(join(assets, name)).isFile())
  .map((name) => ({ name, kB: gzipSync(readFileSync(join(assets, name)), { level: 9 }).length / 1000 }));
const sum = (list) => list.reduce((total, { kB }) => total + kB, 0);

const spent = {
  "main script": sum(sizes.filter(({ name }) => name.endsWith(".js") && html.includes(name))),
  "all scripts": sum(sizes.filter(({ name }) => name.endsWith(".js"))),
  styles: sum(sizes.filter(({ name }) => name.endsWith(".css"))),
};
let over = false;
for (const [what, budget] of Object.entries(BUDGETS)) {
  const kB = spent[what];
  over ||= kB > budget;
  console.log(`${kB > budget ? "OVER" : "ok  "} ${what}: ${kB.toFixed(1)} of ${budget} kB gzip`);
}
process.exit(over ? 1 : 0);
