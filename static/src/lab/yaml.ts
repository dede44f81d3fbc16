// Which lines of a YAML text a list of changed paths is about. Reads the plain block style that the server writes. Pure.

export interface YamlLine {
  text: string;
  changed: boolean;
}

interface Level {
  indent: number;
  path: string;
  /** The next index where the level is a list. */
  index: number;
}

/** The path of each line, such as .spec.containers[0].image; that of the line above where a line goes on. */
export function pathsOf(lines: string[]): string[] {
  const levels: Level[] = [];
  let path = "";
  return lines.map((line) => {
    const indent = line.search(/\S/);
    if (indent < 0 || line.trimStart().startsWith("#")) return path;
    const dash = /^(\s*)((?:- )+|-$)/.exec(line);
    let rest = line.trimStart(), column = indent;
    if (dash) {
      while (levels.length && levels.at(-1)!.indent > column) levels.pop();
      while (/^-( |$)/.test(rest)) {
        // A dash at the same column as the key above belongs to it.
        let level = levels.at(-1);
        if (!level || level.indent !== column || level.index < 0) {
          while (levels.length && levels.at(-1)!.indent > column) levels.pop();
          level = { indent: column, path: keyAt(levels, column), index: 0 };
          levels.push(level);
        }
        path = `${level.path}[${level.index++}]`;
        const skipped = /^-\s*/.exec(rest)![0].length;
        rest = rest.slice(skipped);
        column += skipped;
        levels.push({ indent: column, path, index: -1 });
      }
    }
    const key = /^("(?:[^"\\]|\\.)*"|'[^']*'|[^\s:#][^:]*?):(?:\s|$)/.exec(rest)?.[1];
    if (key === undefined) return path;
    while (levels.length && (levels.at(-1)!.indent > column || (levels.at(-1)!.indent === column && levels.at(-1)!.index >= 0))) levels.pop();
    const parent = levels.at(-1)?.indent === column ? levels.at(-1)!.path : "";
    if (levels.at(-1)?.indent !== column) levels.push({ indent: column, path: lastKey(levels), index: -1 });
    const base = levels.at(-1)!.path || parent;
    path = `${base}.${key.replace(/^["']|["']$/g, "")}`;
    keys.set(levels.at(-1)!, path);
    return path;
  });
}

const keys = new WeakMap<Level, string>();
const lastKey = (levels: Level[]): string => (levels.length ? (keys.get(levels.at(-1)!) ?? levels.at(-1)!.path) : "");
const keyAt = (levels: Level[], column: number): string => {
  const level = levels.at(-1);
  return level ? (level.indent <= column ? (keys.get(level) ?? level.path) : level.path) : "";
};

/** The lines of a YAML text, those that a changed path names (or lies within) lit. */
export function litLines(yaml: string, changed: string[]): YamlLine[] {
  const lines = yaml.replace(/\n$/, "").split("\n");
  const wanted = changed.map((path) => (path.startsWith(".") ? path : `.${path}`));
  const within = (path: string, change: string): boolean => path === change || (path.startsWith(change) && /[.[]/.test(path[change.length] ?? ""));
  const paths = pathsOf(lines);
  return lines.map((text, i) => ({ text, changed: wanted.some((change) => within(paths[i]!, change)) }));
}
