// Bundles static/src into static/dist: one script and one style sheet for each page. `--watch` rebuilds on every change.
import { context, build } from "esbuild";
import { gzipSync } from "node:zlib";
import { copyFileSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const outdir = "static/dist";
mkdirSync(outdir, { recursive: true });
copyFileSync("static/src/icon.svg", join(outdir, "icon.svg"));
const options = {
  entryPoints: { app: "static/src/app.ts", front: "static/src/front.ts", theme: "static/src/theme.ts" },
  outdir,
  bundle: true,
  minify: true,
  sourcemap: true,
  target: ["es2022"],
  format: "esm",
  legalComments: "none",
  logLevel: "warning",
  tsconfig: "tsconfig.json",
};

if (process.argv.includes("--watch")) {
  const running = await context(options);
  await running.watch();
  console.log("watching static/src");
} else {
  await build(options);
  for (const name of readdirSync(outdir).filter((name) => /\.(js|css)$/.test(name)).sort()) {
    const bytes = readFileSync(join(outdir, name));
    const kilobytes = (count) => `${(count / 1024).toFixed(1)} kB`;
    console.log(`${join(outdir, name).padEnd(26)} ${kilobytes(bytes.length).padStart(9)}  gzip ${kilobytes(gzipSync(bytes).length)}`);
  }
}
