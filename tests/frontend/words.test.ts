// Every text that the page shows has its German, with the same places for values.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { german } from "../../static/src/i18n/de";
import "../../static/src/i18n/words";
import { t, useLanguage } from "../../static/src/i18n/t";

const SOURCES = "static/src";
const files = readdirSync(SOURCES, { recursive: true }).map(String).filter((name) => name.endsWith(".ts") && !name.startsWith("i18n"));
const read = (name: string): string => readFileSync(join(SOURCES, name), "utf8");

/** The texts of a table in the source whose entries are shown through t(). */
function table(file: string, name: string, entry: RegExp): string[] {
  const source = read(file);
  const from = source.search(new RegExp(`(const|export const) ${name}\\b`));
  assert.ok(from >= 0, `${file} has no ${name}`);
  return [...source.slice(from, source.indexOf("\n", source.slice(from).search(/\n?[\]}];/) + from + 2)).matchAll(entry)].map((found) => found[1]!);
}

function shown(): Set<string> {
  const found = new Set<string>();
  for (const name of files) for (const call of read(name).matchAll(/\bt\(\s*"((?:[^"\\]|\\.)*)"/g)) found.add(call[1]!);
  const second = /\["[^"]*", "([^"]*)"\]/g, value = /: "([^"]*)"/g;
  const tables = [...table("ui/lenses.ts", "LENSES", second), ...table("ui/chrome.ts", "KEYS", second), ...table("ui/drawer.ts", "TABS", second), ...table("lab/lab.ts", "PACES", /name: "([^"]*)"/g),
    ...table("ui/inspector.ts", "ABOUT", value), ...table("stage/pod.ts", "WORDS", value), ...table("ui/beats.ts", "STAGE_WORDS", value)];
  for (const words of tables) found.add(words);
  for (const words of read("stage/layout.ts").matchAll(/text: "([^"]*)"/g)) found.add(words[1]!);
  return found;
}

test("German is complete", () => {
  const texts = shown();
  assert.ok(texts.size > 220, String(texts.size));
  assert.deepEqual([...texts].filter((text) => !(text in german)), []);
});

test("values stand in the same places", () => {
  const places = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [english, words] of Object.entries(german)) assert.deepEqual(places(words), places(english), english);
});

test("a text is shown in the language of the page, and in English where there is none", () => {
  useLanguage("de-AT");
  assert.equal(t("step {seq}", { seq: 3 }), "Schritt 3");
  useLanguage("fr");
  assert.equal(t("step {seq}", { seq: 3 }), "step 3");
  useLanguage("en");
});

