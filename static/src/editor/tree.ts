// A YAML text as a tree with places, for completion, hovers and checks. It takes texts that are being written: where a part cannot be
// read, the rest still can. Block style as Kubernetes' manifests have it; flow style ({a: b}) is read as far as it is JSON-like.

export interface Field {
  key: string;
  keyFrom: number;
  keyTo: number;
  value: Node;
}

export type Node =
  | { kind: "map"; from: number; to: number; fields: Field[] }
  | { kind: "list"; from: number; to: number; items: Node[] }
  | { kind: "scalar"; from: number; to: number; text: string; quoted: boolean }
  | { kind: "empty"; from: number; to: number }
  /** What this reader does not look into: flow collections, block scalars, anchors, tags. */
  | { kind: "other"; from: number; to: number; looks: "map" | "list" | "string" | "unknown" };

export interface Document {
  from: number;
  to: number;
  root: Node;
}

interface Line {
  from: number;
  indent: number;
  text: string;
}

const KEY = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#"'&*!|>%@`{}[\]][^#]*?|[^\s#:"'{[][^\s#:]*?)\s*:(?=\s|$)/;

/** Splits a text into its documents. */
export function documentsOf(text: string): Document[] {
  const found: Document[] = [];
  let start = 0;
  const mark = /^(---|\.\.\.)(?=\s|$).*$/gm;
  for (let match = mark.exec(text); match; match = mark.exec(text)) {
    if (text.slice(start, match.index).trim()) found.push(parse(text, start, match.index));
    start = match.index + match[0].length;
  }
  if (text.slice(start).trim() || !found.length) found.push(parse(text, start, text.length));
  return found;
}

/** The document in which a place is. */
export function documentAt(text: string, position: number): Document {
  const all = documentsOf(text);
  return all.find((each) => position >= each.from && position <= each.to) ?? parse(text, position, position);
}

function parse(text: string, from: number, to: number): Document {
  const lines: Line[] = [];
  let at = from;
  for (const raw of text.slice(from, to).split("\n")) {
    const indent = /^ */.exec(raw)![0].length;
    const rest = raw.slice(indent);
    if (rest && !rest.startsWith("#")) lines.push({ from: at, indent, text: rest.replace(/\s+$/, "") });
    at += raw.length + 1;
  }
  const reader = new Reader(lines);
  const root = lines.length ? reader.block(lines[0]!.indent) : ({ kind: "empty", from, to } as Node);
  return { from, to, root };
}

class Reader {
  private at = 0;

  constructor(private readonly lines: Line[]) {}

  /** Reads what begins at the current line with at least this indentation. */
  block(indent: number): Node {
    const line = this.lines[this.at];
    if (!line || line.indent < indent) return { kind: "empty", from: line?.from ?? 0, to: line?.from ?? 0 };
    if (/^-(\s|$)/.test(line.text)) return this.list(line.indent);
    if (KEY.test(line.text)) return this.map(line.indent);
    return this.scalarLines(line);
  }

  private scalarLines(line: Line): Node {
    this.at += 1;
    return inline(line.text, line.from + line.indent);
  }

  private map(indent: number): Node {
    const first = this.lines[this.at]!;
    const fields: Field[] = [];
    let to = first.from;
    while (this.at < this.lines.length) {
      const line = this.lines[this.at]!;
      if (line.indent < indent) break;
      const match = line.indent === indent ? KEY.exec(line.text) : null;
      if (!match) {
        if (line.indent === indent && /^-(\s|$)/.test(line.text)) break;
        this.at += 1; // a line that cannot be read yet
        continue;
      }
      const keyFrom = line.from + line.indent;
      const rest = line.text.slice(match[0].length);
      const lead = /^\s*/.exec(rest)![0].length;
      const value = rest.slice(lead).replace(/(^|\s)#.*$/, "").trim();
      this.at += 1;
      const place = keyFrom + match[0].length + lead;
      const node = value ? this.valueAfter(value, place, indent) : this.below(indent, keyFrom + match[0].length);
      to = Math.max(node.to, place);
      fields.push({ key: unquoted(match[1]!), keyFrom, keyTo: keyFrom + match[1]!.length, value: node });
    }
    return { kind: "map", from: first.from + indent, to, fields };
  }

  private below(indent: number, place: number): Node {
    const next = this.lines[this.at];
    if (!next) return { kind: "empty", from: place, to: place };
    if (next.indent > indent) return this.block(next.indent);
    // A list may stand at the indentation of its key.
    if (next.indent === indent && /^-(\s|$)/.test(next.text)) return this.list(indent);
    return { kind: "empty", from: place, to: place };
  }

  /** A value on its key's line; block scalars and flow collections may go on below. */
  private valueAfter(value: string, place: number, indent: number): Node {
    const node = inline(value, place);
    const goesOn = /^[|>]/.test(value) || (node.kind === "other" && !closed(value));
    if (goesOn || node.kind === "scalar") {
      let to = node.to;
      while (this.at < this.lines.length && this.lines[this.at]!.indent > indent) {
        to = this.lines[this.at]!.from + this.lines[this.at]!.indent + this.lines[this.at]!.text.length;
        this.at += 1;
      }
      return { ...node, to };
    }
    return node;
  }

  private list(indent: number): Node {
    const first = this.lines[this.at]!;
    const items: Node[] = [];
    let to = first.from;
    while (this.at < this.lines.length) {
      const line = this.lines[this.at]!;
      if (line.indent !== indent || !/^-(\s|$)/.test(line.text)) {
        if (line.indent > indent) {
          this.at += 1;
          continue;
        }
        break;
      }
      const lead = /^-\s*/.exec(line.text)![0].length;
      const rest = line.text.slice(lead);
      if (!rest || rest.startsWith("#")) {
        this.at += 1;
        const next = this.lines[this.at];
        items.push(next && next.indent > indent ? this.block(next.indent) : { kind: "empty", from: line.from + indent + 1, to: line.from + indent + 1 });
      } else {
        // What stands after the dash is a line of its own, indented by where it stands.
        this.lines[this.at] = { from: line.from, indent: indent + lead, text: rest };
        items.push(this.block(indent + lead));
      }
      to = Math.max(to, items.at(-1)!.to);
    }
    return { kind: "list", from: first.from + indent, to, items };
  }
}

const closed = (value: string): boolean => (value.match(/[{[]/g)?.length ?? 0) <= (value.match(/[}\]]/g)?.length ?? 0);

function inline(value: string, from: number): Node {
  const to = from + value.length;
  if (value.startsWith("{")) return { kind: "other", from, to, looks: "map" };
  if (value.startsWith("[")) return { kind: "other", from, to, looks: "list" };
  if (/^[|>]/.test(value)) return { kind: "other", from, to, looks: "string" };
  if (/^[&*!]/.test(value)) return { kind: "other", from, to, looks: "unknown" };
  const quoted = /^["']/.test(value);
  return { kind: "scalar", from, to, text: quoted ? unquoted(value) : value, quoted };
}

function unquoted(text: string): string {
  if (text.startsWith('"')) {
    try {
      return JSON.parse(text) as string;
    } catch {
      return text.slice(1, -1);
    }
  }
  return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text;
}

/** The text of a field at the top of a document: apiVersion, kind. */
export function topField(root: Node, key: string): string {
  if (root.kind !== "map") return "";
  const value = root.fields.find((field) => field.key === key)?.value;
  return value?.kind === "scalar" ? value.text : "";
}

/** Where a field that the server names (spec.template.spec.containers[0].image) is in a document; its first line where it is not found. */
export function lineOfPath(text: string, document: number, path: string): number {
  const found = documentsOf(text)[document];
  if (!found) return 0;
  let node = found.root;
  let place = node.from;
  for (const part of path.split(/\.|(?=\[)/).filter(Boolean)) {
    const index = /^\[(.+)\]$/.exec(part)?.[1];
    if (node.kind === "list" && index !== undefined && /^\d+$/.test(index)) {
      const item: Node | undefined = node.items[Number(index)];
      if (!item) break;
      node = item;
      place = item.from;
    } else if (node.kind === "map") {
      const name = index ?? part;
      const field: Field | undefined = node.fields.find((each) => each.key === name);
      if (!field) break;
      place = field.keyFrom;
      node = field.value;
    } else break;
  }
  return Math.min(place, text.length);
}
