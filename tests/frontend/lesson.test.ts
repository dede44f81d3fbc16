// The editor of a lesson's text without CodeMirror: its blocks, what may stand in them, what is wrong with them.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { blocksOf, lessonOptions, lessonProblems } from "../../static/src/editor/lesson";
import { Openapi } from "../../static/src/editor/openapi";

const nothing = new Openapi("");
const HEAD = "---\nschema_version: 1\ntitle: A\nsummary: B\nlevel: beginner\nminutes: 5\nobjectives: [x]\n---\n\n## One\n\n";
const offered = (text: string): string[] => lessonOptions(text.replace("|", ""), text.indexOf("|")).map((each) => each.label);
const wrong = async (text: string): Promise<string[]> => (await lessonProblems(text, nothing)).map(({ from, message }) => `${text.slice(0, from).split("\n").length}: ${message}`);

test("blocks are found, those that are being written as well", () => {
  assert.deepEqual(blocksOf(`${HEAD}\`\`\`task\nid: a\n`).map(({ kind }) => kind), ["front", "task"]);
  assert.deepEqual(blocksOf(`${HEAD}\`\`\`\`x\n\`\`\`task\n\`\`\`\`\n\`\`\`run\nk\n\`\`\`\n`).map(({ kind }) => kind), ["front", "x", "run"]);
});

test("completion knows blocks, their fields and values", () => {
  assert.ok(offered(`${HEAD}\`\`\`ta|`).includes("task"));
  assert.deepEqual(offered(`${HEAD}Text |`), []);
  assert.ok(offered("---\nschema_version: 1\nlev|\n---\n").includes("level"));
  assert.deepEqual(offered("---\nlevel: |\n---\n"), ["beginner", "intermediate", "advanced"]);
  assert.ok(offered(`${HEAD}\`\`\`stage\nlens: |\n\`\`\`\n`).includes("scheduling"));
  const check = offered(`${HEAD}\`\`\`task\nid: a\nchecks:\n- text: b\n  |\n\`\`\`\n`);
  assert.ok(check.includes("object") && check.includes("message") && !check.includes("text"));
});

test("what is wrong is said at its line", async () => {
  assert.deepEqual(await wrong(`${HEAD}\`\`\`stage\nlens: nowhere\ntxt: a\n\`\`\`\n`), [
    "13: lens: must be one of workloads, control-plane, scheduling, etcd, ownership, traffic, storage, node, access", "14: unknown field txt (did you mean text?)",
  ]);
  assert.deepEqual(await wrong("---\nschema_version: 1\ntitle: A\n---\n"), ["summary", "level", "minutes", "objectives"].map((name) => `2: ${name} is required`));
});

test("the course's own lessons have nothing wrong", async () => {
  for (const name of readdirSync("lessons")) assert.deepEqual(await wrong(readFileSync(`lessons/${name}/lesson.md`, "utf8")), [], name);
});
