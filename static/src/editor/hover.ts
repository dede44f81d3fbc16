// What a field is, by the schema: for the pointer that rests on it.
import { typeName, type Openapi } from "./openapi";
import { documentAt, topField, type Field, type Node } from "./tree";
import { t } from "./words";

export interface Hover {
  from: number;
  to: number;
  title: string;
  text: string;
}

/** The path to the key at a place, and the key itself. */
function keyAt(node: Node, position: number, path: (string | number)[]): { path: (string | number)[]; field: Field } | null {
  if (node.kind === "map") {
    for (const field of node.fields) {
      if (position >= field.keyFrom && position <= field.keyTo) return { path: [...path, field.key], field };
      const deeper = keyAt(field.value, position, [...path, field.key]);
      if (deeper) return deeper;
    }
  }
  if (node.kind === "list") {
    for (const [at, item] of node.items.entries()) {
      const deeper = keyAt(item, position, [...path, at]);
      if (deeper) return deeper;
    }
  }
  return null;
}

export async function hoverAt(text: string, position: number, openapi: Openapi): Promise<Hover | null> {
  const { root } = documentAt(text, position);
  const found = keyAt(root, position, []);
  if (!found) return null;
  const kind = await openapi.kind(topField(root, "apiVersion"), topField(root, "kind"));
  const schema = kind?.at(found.path);
  if (!kind || !schema) return null;
  const parent = kind.at(found.path.slice(0, -1));
  const required = parent?.required?.includes(found.field.key) ? `, ${t("required")}` : "";
  const fallback = schema.default === undefined || typeof schema.default === "object" ? "" : `\n${t("Default: {value}", { value: JSON.stringify(schema.default) })}`;
  const choice = schema.enum ? `\n${t("One of: {values}", { values: schema.enum.map(String).join(", ") })}` : "";
  return { from: found.field.keyFrom, to: found.field.keyTo, title: `${found.field.key}  ${typeName(kind, schema)}${required}`, text: `${schema.description ?? ""}${choice}${fallback}` };
}
