// Fields of objects by path, as the breakpoint language writes them: .spec.replicas, .status.conditions[Ready].status. Pure.

const PART = /\.?([^.[\]]+)|\[([^\]]*)\]/gy;

/** The parts of a path; null when it cannot be read. */
export function partsOf(path: string): string[] | null {
  const parts: string[] = [];
  const text = path.trim();
  PART.lastIndex = 0;
  while (PART.lastIndex < text.length) {
    const found = PART.exec(text);
    if (!found) return null;
    parts.push(found[1] ?? found[2]!);
  }
  return parts.length ? parts : null;
}

/** What is at a path; undefined where there is nothing. A list's items go by place, or by name or type. */
export function valueAt(object: unknown, path: string): unknown {
  let here: unknown = object;
  for (const part of partsOf(path) ?? ["?"]) {
    if (Array.isArray(here)) {
      here = /^\d+$/.test(part) ? here[Number(part)] : here.find((item: { name?: string; type?: string } | null) => item?.name === part || item?.type === part);
    } else if (here && typeof here === "object" && Object.hasOwn(here, part)) here = (here as Record<string, unknown>)[part];
    else return undefined;
  }
  return here;
}

/** A value on one line. */
export function inOneLine(value: unknown): string {
  if (value === undefined) return "—";
  if (typeof value === "string") return value === "" ? '""' : value;
  return JSON.stringify(value);
}
