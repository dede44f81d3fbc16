// A line that is being edited, as a shell's: cursor, history, search in it, completion. Pure: keys in, text and cursor out.

export interface LineState {
  text: string;
  cursor: number;
  /** What is searched for with Ctrl-R; null: nothing. */
  search: string | null;
}

export type KeyOutcome = "edited" | "enter" | "interrupt" | "end" | "clear" | "complete" | "escape" | "none";

const WORD = /[\w.:/@=-]/;

export class Line {
  text = "";
  cursor = 0;
  search: string | null = null;
  private at: number;
  private kept = "";
  private killed = "";
  private found = -1;

  constructor(readonly history: string[]) {
    this.at = history.length;
  }

  /** Begins a new line. */
  begin(): void {
    this.text = "";
    this.cursor = 0;
    this.search = null;
    this.at = this.history.length;
  }

  /** Remembers a line that was entered. */
  remember(line: string): void {
    if (line.trim() && this.history.at(-1) !== line) this.history.push(line);
    if (this.history.length > 200) this.history.shift();
    this.at = this.history.length;
  }

  insert(text: string): void {
    this.text = this.text.slice(0, this.cursor) + text + this.text.slice(this.cursor);
    this.cursor += text.length;
  }

  /** Replaces what stands before the cursor, `part` long, by something longer. */
  replace(part: string, by: string): void {
    if (!this.text.slice(0, this.cursor).endsWith(part)) return;
    this.text = this.text.slice(0, this.cursor - part.length) + by + this.text.slice(this.cursor);
    this.cursor += by.length - part.length;
  }

  /** Takes one key as a terminal sends it: a character, a control character, or an escape sequence. */
  key(key: string): KeyOutcome {
    if (this.search !== null) return this.searching(key);
    switch (key) {
      case "\r":
      case "\n":
        return "enter";
      case "\x03":
        return "interrupt";
      case "\x04":
        if (!this.text) return "end";
        return this.cut(this.cursor, this.cursor + 1, false);
      case "\t":
        return "complete";
      case "\x0c":
        return "clear";
      case "\x1b":
        return "escape";
      case "\x12":
        this.search = "";
        this.found = this.history.length;
        return "edited";
      case "\x7f":
      case "\b":
        return this.cut(this.cursor - 1, this.cursor, false);
      case "\x1b[3~":
        return this.cut(this.cursor, this.cursor + 1, false);
      case "\x15":
        return this.cut(0, this.cursor);
      case "\x0b":
        return this.cut(this.cursor, this.text.length);
      case "\x17":
        return this.cut(this.text.slice(0, this.cursor).search(/\S+\s*$/), this.cursor);
      case "\x1b\x7f":
        return this.cut(this.wordBefore(), this.cursor);
      case "\x1bd":
        return this.cut(this.cursor, this.wordAfter());
      case "\x19":
        this.insert(this.killed);
        return "edited";
      case "\x01":
      case "\x1b[H":
      case "\x1bOH":
        return this.go(0);
      case "\x05":
      case "\x1b[F":
      case "\x1bOF":
        return this.go(this.text.length);
      case "\x02":
      case "\x1b[D":
      case "\x1bOD":
        return this.go(this.cursor - 1);
      case "\x06":
      case "\x1b[C":
      case "\x1bOC":
        return this.go(this.cursor + 1);
      case "\x1b[1;5D":
      case "\x1b[1;3D":
      case "\x1bb":
        return this.go(this.wordBefore());
      case "\x1b[1;5C":
      case "\x1b[1;3C":
      case "\x1bf":
        return this.go(this.wordAfter());
      case "\x10":
      case "\x1b[A":
      case "\x1bOA":
        return this.past(-1);
      case "\x0e":
      case "\x1b[B":
      case "\x1bOB":
        return this.past(1);
    }
    if (key.startsWith("\x1b") || key < " ") return "none";
    this.insert(key);
    return "edited";
  }

  private go(to: number): KeyOutcome {
    this.cursor = Math.max(0, Math.min(this.text.length, to));
    return "edited";
  }

  private cut(from: number, to: number, keep = true): KeyOutcome {
    const start = Math.max(0, from);
    if (keep) this.killed = this.text.slice(start, to);
    this.text = this.text.slice(0, start) + this.text.slice(to);
    this.cursor = start;
    return "edited";
  }

  private wordBefore(): number {
    let at = this.cursor;
    while (at > 0 && !WORD.test(this.text[at - 1]!)) at--;
    while (at > 0 && WORD.test(this.text[at - 1]!)) at--;
    return at;
  }

  private wordAfter(): number {
    let at = this.cursor;
    while (at < this.text.length && !WORD.test(this.text[at]!)) at++;
    while (at < this.text.length && WORD.test(this.text[at]!)) at++;
    return at;
  }

  private past(way: number): KeyOutcome {
    const to = this.at + way;
    if (to < 0 || to > this.history.length) return "none";
    if (this.at === this.history.length) this.kept = this.text;
    this.at = to;
    this.text = to === this.history.length ? this.kept : this.history[to]!;
    this.cursor = this.text.length;
    return "edited";
  }

  private searching(key: string): KeyOutcome {
    if (key === "\x12") return this.find(this.found - 1);
    if (key === "\x7f" || key === "\b") {
      this.search = this.search!.slice(0, -1);
      return this.find(this.history.length - 1);
    }
    if (key === "\x03" || key === "\x07" || key === "\x1b") {
      this.search = null;
      if (key === "\x03") return "interrupt";
      return "edited";
    }
    if (key >= " " && !key.startsWith("\x1b") && key !== "\x7f") {
      this.search += key;
      return this.find(Math.min(this.found, this.history.length - 1));
    }
    this.search = null;
    return this.key(key);
  }

  private find(from: number): KeyOutcome {
    for (let at = from; at >= 0; at--) {
      const line = this.history[at]!;
      if (this.search && line.includes(this.search)) {
        this.found = at;
        this.text = line;
        this.cursor = line.length;
        break;
      }
    }
    return "edited";
  }
}

// Characters, and sequences that begin with an escape.
// eslint-disable-next-line no-control-regex
const KEYS = /\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|\x1b[\x7fbdf]|\x1b|[^\x1b\x00-\x1f\x7f]+|[\s\S]/gu;

/** What a terminal has sent, key by key; a run of plain characters is one. */
export function keysOf(data: string): string[] {
  return data.replace(/\x1b\[20[01]~/g, "").match(KEYS) ?? [];
}

/** The longest beginning that all have. */
export function commonStart(texts: string[]): string {
  let start = texts[0] ?? "";
  for (const text of texts) while (!text.startsWith(start)) start = start.slice(0, -1);
  return start;
}

/** Candidates as a shell lists them: in columns, or one a line with what each is. */
export function columnsOf(candidates: { text: string; about: string }[], width: number): string[] {
  const longest = Math.max(...candidates.map((each) => each.text.length));
  if (candidates.length <= 24 && candidates.some((each) => each.about)) {
    return candidates.map((each) => `${each.text.padEnd(longest + 2)}${each.about ? `-- ${each.about}` : ""}`.slice(0, Math.max(width - 1, 20)));
  }
  const count = Math.max(1, Math.floor(width / (longest + 2)));
  const rows = Math.ceil(candidates.length / count);
  return Array.from({ length: rows }, (_, row) => candidates.filter((_each, at) => at % rows === row).map((each) => each.text.padEnd(longest + 2)).join("").trimEnd());
}
