// Writes static/src/stream/types.ts from clusterlab/stream/schema.json, so that the two sides of the stream cannot drift.
// `--check` writes nothing and fails when the file is not what the schema says.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const SCHEMA = "clusterlab/stream/schema.json";
const TARGET = "static/src/stream/types.ts";
const SCALARS = { string: "string", integer: "number", number: "number", boolean: "boolean", null: "null" };

const literal = (value) => JSON.stringify(value);
const grouped = (text) => (/[|&]/.test(text) ? `(${text})` : text);

function arrayType(schema, depth) {
  const item = schema.items ? typeOf(schema.items, depth) : "unknown";
  const fixed = schema.minItems !== undefined && schema.minItems === schema.maxItems;
  return fixed ? `[${Array(schema.minItems).fill(item).join(", ")}]` : `${grouped(item)}[]`;
}

function objectType(schema, depth) {
  const pad = "  ".repeat(depth + 1);
  if (!schema.properties) {
    const rest = schema.additionalProperties;
    return `Record<string, ${rest && typeof rest === "object" ? typeOf(rest, depth) : "unknown"}>`;
  }
  const required = new Set(schema.required ?? []);
  const lines = Object.entries(schema.properties).map(
    ([name, value]) => `${pad}${name}${required.has(name) ? "" : "?"}: ${typeOf(value, depth + 1)};`,
  );
  return `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
}

function typeOf(schema, depth = 0) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.allOf) {
    const { allOf, ...rest } = schema;
    return [...allOf.map((part) => typeOf(part, depth)), typeOf(rest, depth)].join(" & ");
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map((part) => typeOf(part, depth)).join(" | ");
  if ("const" in schema) return literal(schema.const);
  if (schema.enum) return schema.enum.map(literal).join(" | ");
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type }, depth)).join(" | ");
  if (schema.type === "array") return arrayType(schema, depth);
  if (schema.type === "object") return objectType(schema, depth);
  return SCALARS[schema.type] ?? "unknown";
}

/** The text of types.ts for a schema. */
export function generate(schema) {
  const parts = ["// Generated from clusterlab/stream/schema.json by `npm run generate`. Do not edit."];
  for (const [name, definition] of Object.entries(schema.$defs)) {
    const comment = definition.description ? `/** ${definition.description} */\n` : "";
    parts.push(`${comment}export type ${name} = ${typeOf(definition)};`);
  }
  return parts.join("\n\n") + "\n";
}

function main() {
  const text = generate(JSON.parse(readFileSync(SCHEMA, "utf8")));
  if (!process.argv.includes("--check")) return writeFileSync(TARGET, text);
  if (readFileSync(TARGET, "utf8") !== text) {
    console.error(`${TARGET} is not what ${SCHEMA} says: run \`npm run generate\`.`);
    process.exitCode = 1;
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main();
