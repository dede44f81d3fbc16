// Which lines of a YAML text a list of changed paths is about. Reads the plain block style that the server writes. Pure.

export interface YamlLine {
  text: string;
  changed: boolean;
}

interface Open {
  /** The column of the key, or of the dash. */
  column: number;
  path: string;
  item: boolean;
}

const KEY = /^("(?:[^"\\]|\\.)*"|'[^']*'|[^\s:#-][^:]*?|-[^\s:][^:]*?):(?:\s|$)/;

/** The path of each line, such as .spec.containers[0].image; that of the line above where a line goes on. */
export function pathsOf(lines: string[]): string[] {
  const open: Open[] = [];
  const counts = new Map<string, number>();
  const top = (): Open => open.at(-1) ?? { column: -1, path: "", item: false };
  return lines.map((line) => {
    let column = line.search(/\S/);
    if (column < 0) return top().path;
    let rest = line.slice(column);
    while (/^-(\s|$)/.test(rest)) {
      // A dash may stand in the column of the key that it belongs to.
      while (top().column > column || (top().column === column && top().item)) open.pop();
      const list = top().path;
      const number = counts.get(list) ?? 0;
      counts.set(list, number + 1);
      open.push({ column, path: `${list}[${number}]`, item: true });
      const skipped = /^-\s*/.exec(rest)![0].length;
      rest = rest.slice(skipped);
      column += skipped;
    }
    const key = KEY.exec(rest)?.[1];
    if (key === undefined) return top().path;
    while (open.length && top().column >= column) open.pop();
    open.push({ column, path: `${top().path}.${key.replace(/^["']|["']$/g, "")}`, item: false });
    return top().path;
  });
}

/** The lines of a YAML text, those that a changed path names (or that lie within it) lit. */
export function litLines(yaml: string, changed: string[]): YamlLine[] {
  const lines = yaml.replace(/\n$/, "").split("\n");
  const wanted = changed.map((path) => (path.startsWith(".") ? path : `.${path}`));
  const within = (path: string, change: string): boolean => path === change || (path.startsWith(change) && /[.[]/.test(path[change.length] ?? ""));
  const paths = pathsOf(lines);
  return lines.map((text, i) => ({ text, changed: wanted.some((change) => within(paths[i]!, change)) }));
}

/** The changed lines with the keys that they are under, and nothing else. */
export function changedExcerpt(yaml: string, changed: string[], most = 40): YamlLine[] {
  const lines = litLines(yaml, changed);
  const shown = new Set<number>();
  lines.forEach((line, i) => {
    if (!line.changed) return;
    shown.add(i);
    let column = line.text.search(/\S/);
    for (let above = i - 1; above >= 0 && column > 0; above--) {
      const at = lines[above]!.text.search(/\S/);
      const item = /^\s*-\s/.test(lines[above]!.text);
      if (at >= 0 && (at < column || (at === column && item && !/^\s*-\s/.test(lines[i]!.text)))) {
        shown.add(above);
        column = at;
      }
    }
  });
  return [...shown].sort((a, b) => a - b).slice(0, most).map((i) => lines[i]!);
}
