// Where in a manifest a place is: the path of fields above it, by indentation, so that lines that are being written count too.
import { documentAt, topField, type Document } from "./tree";

export interface Where {
  document: Document;
  apiVersion: string;
  kind: string;
  /** The path of the object in which the line stands; numbers are places in lists. */
  path: (string | number)[];
  /** The key on the line, as far as it is written. */
  key: string;
  /** Whether the place is after the key's colon. */
  inValue: boolean;
  /** Keys that the object has already. */
  beside: string[];
}

const LINE = /^(\s*)((?:- *)*)([^:#]*?)(:(?:\s+(.*))?)?$/;

export function whereIs(text: string, position: number): Where {
  const document = documentAt(text, position);
  const lineStart = text.lastIndexOf("\n", position - 1) + 1;
  const before = text.slice(lineStart, position);
  const match = LINE.exec(before) ?? LINE.exec("")!;
  const dashes = match[2]!;
  const indent = match[1]!.length + dashes.length;
  const above = text.slice(document.from, lineStart).split("\n");
  const path = pathAbove(above, indent, dashes.length > 0 ? match[1]!.length : -1);
  return {
    document, apiVersion: topField(document.root, "apiVersion"), kind: topField(document.root, "kind"), path,
    key: match[3]!.trim(), inValue: match[4] !== undefined, beside: keysBeside(text, lineStart, document, indent),
  };
}

/** Walks up from a line: each line that stands less far in is a parent. */
function pathAbove(lines: string[], indent: number, dashAt: number): (string | number)[] {
  const path: (string | number)[] = [];
  let limit = indent;
  let dash = dashAt;
  if (dashAt >= 0) {
    path.unshift(itemsBefore(lines, dashAt));
    limit = dashAt + 1; // the key of a list may stand at the indentation of its dashes
  }
  for (let at = lines.length - 1; at >= 0; at--) {
    const match = LINE.exec(lines[at]!.trimEnd());
    if (!match || !lines[at]!.trim() || lines[at]!.trim().startsWith("#")) continue;
    const start = match[1]!.length, dashes = match[2]!, own = start + dashes.length;
    if (dashes && start < limit && own <= limit && dash < 0 && own >= limit) {
      // The first line of the list item in which we are.
      path.unshift(itemsBefore(lines.slice(0, at), start));
      limit = start + 1;
      dash = start;
      continue;
    }
    if (own < limit && match[4] !== undefined && !match[5]?.trim() && (dash < 0 || own <= dash)) {
      path.unshift(match[3]!.trim());
      limit = own;
      dash = -1;
      if (dashes) {
        path.unshift(itemsBefore(lines.slice(0, at), start));
        limit = start + 1;
        dash = start;
      }
    }
  }
  return path;
}

/** How many items of the same list stand above. */
function itemsBefore(lines: string[], dashAt: number): number {
  let count = 0;
  for (let at = lines.length - 1; at >= 0; at--) {
    const line = lines[at]!;
    if (!line.trim()) continue;
    const start = /^\s*/.exec(line)![0].length;
    if (start < dashAt || (start === dashAt && !line.trimStart().startsWith("-"))) break;
    if (start === dashAt) count += 1;
  }
  return count;
}

function keysBeside(text: string, lineStart: number, document: Document, indent: number): string[] {
  const keys: string[] = [];
  const scan = (lines: string[]): void => {
    for (const line of lines) {
      if (!line.trim()) continue;
      const match = LINE.exec(line.trimEnd());
      const own = match ? match[1]!.length + match[2]!.length : /^\s*/.exec(line)![0].length;
      if (own < indent) return;
      if (match && own === indent && match[4] !== undefined) keys.push(match[3]!.trim());
      if (match && match[2] && own === indent) return;
    }
  };
  scan(text.slice(document.from, lineStart).split("\n").reverse());
  const after = text.indexOf("\n", lineStart);
  if (after >= 0) {
    const rest = text.slice(after + 1, document.to).split("\n");
    const end = rest.findIndex((line) => line.trim() && (/^\s*/.exec(line)![0].length < indent || line.trimStart().startsWith("- ")));
    scan(end < 0 ? rest : rest.slice(0, end));
  }
  return keys;
}
