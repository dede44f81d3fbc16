// Bundles tests/frontend/*.test.ts and runs them with Node's own test runner. Arguments go to `node --test`.
import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = "tests/frontend";
const outdir = mkdtempSync(join(tmpdir(), "clusterlab-frontend-"));
try {
  const entryPoints = readdirSync(folder).filter((name) => name.endsWith(".test.ts")).map((name) => join(folder, name));
  await build({
    entryPoints, outdir, bundle: true, platform: "node", format: "esm", target: "node20", sourcemap: "inline",
    outExtension: { ".js": ".mjs" }, logLevel: "warning", tsconfig: "tsconfig.json",
  });
  const files = readdirSync(outdir).filter((name) => name.endsWith(".mjs")).map((name) => join(outdir, name));
  const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", "--test-reporter=spec", ...process.argv.slice(2), ...files], { stdio: "inherit" });
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(outdir, { recursive: true, force: true });
}
