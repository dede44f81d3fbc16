// Bundles static/src into static/dist: one script and one style sheet for each page. `--watch` rebuilds on every change.
import { context, build } from "esbuild";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const outdir = "static/dist";
mkdirSync(outdir, { recursive: true });
copyFileSync("static/src/icon.svg", join(outdir, "icon.svg"));
copyFileSync("static/src/front/demo.json", join(outdir, "demo.json"));
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
      author: "static/src/author.ts",
      class: "static/src/class/strip.ts",
      plotly: "static/src/plotly.ts",
      de: "static/src/i18n/words.ts",
      open: "static/src/open.ts",
      import: "static/src/import.ts",
      terminal: "static/src/terminal/screen.ts",
      editor: "static/src/editor/editor.ts",
      describe: "static/src/lab/describing.ts",
      svg: "static/src/stage/svg.ts",
      releases: "static/src/releases.ts",
    },
  },
  // Not a module: it must run before the page is drawn.
  { ...options, format: "iife", entryPoints: { theme: "static/src/theme.ts" } },
];

// The server says in a terminal what the page says of steps: it gets the very same templates.
const layTemplates = async () => {
  const { outputFiles } = await build({ entryPoints: ["static/src/i18n/de/sentences.ts"], bundle: true, format: "esm", write: false });
  const { sentences, clauses } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
  writeFileSync(join(outdir, "steps.de.json"), JSON.stringify({ sentences, clauses }));
};
await layTemplates();

// Beside each file lies what it is when it is compressed: the server sends that to browsers that take it.
const packed = (name) => ["gz", "br"].map((end) => join(outdir, `${name}.${end}`));
const texts = () => readdirSync(outdir).filter((name) => /\.(js|css|svg|json)$/.test(name)).sort();

if (process.argv.includes("--watch")) {
  for (const name of texts()) for (const path of packed(name)) rmSync(path, { force: true }); // which would be older than the file
  for (const bundle of bundles) await (await context(bundle)).watch();
  console.log("watching static/src");
} else {
  for (const bundle of bundles) await build(bundle);
  for (const name of texts()) {
    const bytes = readFileSync(join(outdir, name));
    const [zipped, brotli] = [gzipSync(bytes, { level: 9 }), brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } })];
    packed(name).forEach((path, at) => writeFileSync(path, [zipped, brotli][at]));
    const kilobytes = (count) => `${(count / 1024).toFixed(1)} kB`;
    console.log(`${join(outdir, name).padEnd(26)} ${kilobytes(bytes.length).padStart(9)}  gzip ${kilobytes(zipped.length)}  brotli ${kilobytes(brotli.length)}`);
  }
}
