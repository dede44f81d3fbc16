// Bundles static/src into static/dist: one script and one style sheet for each page. `--watch` rebuilds on every change.
import { context, build } from "esbuild";
import { gzipSync } from "node:zlib";
import { copyFileSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const outdir = "static/dist";
mkdirSync(outdir, { recursive: true });
copyFileSync("static/src/icon.svg", join(outdir, "icon.svg"));
const options = {
  outdir,
  bundle: true,
  minify: true,
  sourcemap: true,
  target: ["es2022"],
  legalComments: "none",
  logLevel: "warning",
  tsconfig: "tsconfig.json",
};
const bundles = [
  {
    ...options,
    format: "esm",
    entryPoints: {
      app: "static/src/app.ts",
      front: "static/src/front.ts",
      lessons: "static/src/lessons.ts",
      accounts: "static/src/accounts.ts",
      board: "static/src/class/board.ts",
      class: "static/src/class/strip.ts",
      plotly: "static/src/plotly.ts",
      open: "static/src/open.ts",
      import: "static/src/import.ts",
      terminal: "static/src/terminal/screen.ts",
      editor: "static/src/editor/editor.ts",
      releases: "static/src/releases.ts",
    },
  },
  // Not a module: it must run before the page is drawn.
  { ...options, format: "iife", entryPoints: { theme: "static/src/theme.ts" } },
];

if (process.argv.includes("--watch")) {
  for (const bundle of bundles) await (await context(bundle)).watch();
  console.log("watching static/src");
} else {
  for (const bundle of bundles) await build(bundle);
  for (const name of readdirSync(outdir).filter((name) => /\.(js|css)$/.test(name)).sort()) {
    const bytes = readFileSync(join(outdir, name));
    const kilobytes = (count) => `${(count / 1024).toFixed(1)} kB`;
    console.log(`${join(outdir, name).padEnd(26)} ${kilobytes(bytes.length).padStart(9)}  gzip ${kilobytes(gzipSync(bytes).length)}`);
  }
}
