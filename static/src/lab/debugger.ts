// The debugger of a lab. Breakpoints are the lab's own: they stop it for all who look. Watches and bookmarks are kept in this browser.
import type { Frame, Heading, ModeState } from "../stream/types";
import { t } from "../i18n/t";
import { fetchObject, runLab } from "./api";
import type { Lab } from "./lab";
import { inOneLine, partsOf, valueAt } from "./paths";
import { recall, remember } from "./remember";

export interface Breakpoint {
  condition: string;
  on: boolean;
}

export interface Watch {
  key: string;
  path: string;
  /** What is there now; undefined before it has been read. */
  value?: string;
  before?: string;
  /** The step on the stage when the value was seen to have changed. */
  changedAt?: number;
}

export interface Bookmark {
  seq: number;
  name: string;
}

interface Kept {
  watches: { key: string; path: string }[];
  bookmarks: Bookmark[];
}

/** Steps after which it stops looking. */
export const LIMIT = 20_000;
const REFRESH_MS = 120;
const KNOWN_MS = 2000;
const MOST = 30;

export class Debugger {
  breakpoints: Breakpoint[] = [];
  watches: Watch[] = [];
  bookmarks: Bookmark[] = [];
  /** Steps at which a run stopped because of a breakpoint. */
  readonly hits = new Map<number, string>();
  running = false;
  private timer = 0;
  /** What was asked for and has not come back yet, by condition: on, off, or null for gone. */
  private readonly asked = new Map<string, boolean | null>();
  private readonly stale = new Set<string>();

  constructor(private readonly lab: Lab) {
    const kept = JSON.parse(recall(this.place) ?? "null") as Kept | null;
    this.watches = kept?.watches ?? [];
    this.bookmarks = kept?.bookmarks ?? [];
  }

  private get place(): string {
    return `debugger.${this.lab.options.id}`;
  }

  private changed(): void {
    const watches = this.watches.map(({ key, path }) => ({ key, path }));
    remember(this.place, JSON.stringify({ watches, bookmarks: this.bookmarks } satisfies Kept));
    this.lab.tell("debug");
  }

  // Breakpoints.

  /** What the lab says of its breakpoints, and of the one at which it stands. */
  heard({ breakpoints, stopped }: Pick<ModeState, "breakpoints" | "stopped">): void {
    if (breakpoints) {
      for (const [condition, on] of this.asked) if ((breakpoints.find((one) => one.condition === condition)?.on ?? null) === on) this.asked.delete(condition);
      this.breakpoints = breakpoints;
      for (const [condition, on] of this.asked) this.show(condition, on);
    }
    if (stopped) this.hits.set(stopped.seq, stopped.condition);
    this.lab.tell("debug");
  }

  addBreakpoint(text: string): void {
    const condition = text.trim();
    if (!condition || this.breakpoints.some((one) => one.condition === condition)) return;
    this.ask(condition, true);
  }

  removeBreakpoint(condition: string): void {
    this.ask(condition, null);
  }

  toggleBreakpoint(condition: string): void {
    this.ask(condition, !this.breakpoints.find((one) => one.condition === condition)?.on);
  }

  /** Asks for one change, not for a list: somebody else, or an answer that is under way, may know more breakpoints. */
  private ask(condition: string, on: boolean | null): void {
    if (!this.lab.send({ type: "breakpoint", condition, on })) return this.lab.tell("debug");
    this.asked.set(condition, on);
    window.setTimeout(() => this.asked.delete(condition), KNOWN_MS);
    this.show(condition, on);
    this.lab.tell("debug");
  }

  /** What cannot be refused holds here at once, and at the lab a moment later; a new condition waits for the lab to read it. */
  private show(condition: string, on: boolean | null): void {
    if (on === null) this.breakpoints = this.breakpoints.filter((one) => one.condition !== condition);
    else this.breakpoints = this.breakpoints.map((one) => (one.condition === condition ? { condition, on } : one));
  }

  /** Until the lab has said that it knows the breakpoints as they are here. */
  private async known(): Promise<void> {
    for (const until = performance.now() + KNOWN_MS; this.asked.size && performance.now() < until; ) await new Promise((done) => setTimeout(done, 15));
  }

  /** Whether a step of which only the heading is known would have met a breakpoint: those that ask no more than that. */
  matches(heading: Heading): boolean {
    return this.breakpoints.some(({ condition, on }) => on && meets(condition, heading));
  }

  /** Runs until any of the conditions holds: those that are on, unless one is given. */
  async run(only?: string): Promise<void> {
    const wanted = only ? [only] : this.breakpoints.filter((one) => one.on).map((one) => one.condition);
    if (!wanted.length || this.running) return;
    const condition = wanted.length === 1 ? wanted[0]! : wanted.map((one) => `(${one})`).join(" or ");
    const start = this.lab.mode.seq;
    this.lab.player.out();
    this.running = true;
    this.lab.tell("debug");
    await this.known();
    try {
      const { seq } = await runLab(this.lab.options.id, { condition }, LIMIT);
      if (this.running && seq - start < LIMIT) this.hits.set(seq, this.hits.get(seq) ?? condition);
      else if (this.running) this.lab.say(t("No breakpoint was met in {count} steps.", { count: LIMIT }));
    } catch (error) {
      this.lab.say(error instanceof Error ? error.message : String(error));
    } finally {
      this.running = false;
      this.lab.tell("debug");
    }
  }

  /** Ends a run that waits for a breakpoint; it is no hit. */
  stop(): void {
    if (!this.running) return;
    this.running = false;
    this.lab.send({ type: "pause" });
  }

  /** The timeline now ends at `last`. */
  ended(last: number): void {
    for (const seq of this.hits.keys()) if (seq > last) this.hits.delete(seq);
  }

  // Bookmarks.

  /** Marks the step on the stage, or takes its mark away. */
  toggleBookmark(name: string, seq = this.lab.shownSeq): void {
    const without = this.bookmarks.filter((one) => one.seq !== seq);
    this.bookmarks = without.length < this.bookmarks.length ? without : [...without, { seq, name }].sort((a, b) => a.seq - b.seq).slice(0, MOST);
    this.changed();
  }

  // Watches.

  /** False when the path cannot be read. */
  addWatch(key: string, path: string): boolean {
    const dotted = path.trim().startsWith(".") ? path.trim() : `.${path.trim()}`;
    if (!/^[^/\s]+\/[^\s]+$/.test(key) || partsOf(dotted) === null) return false;
    if (!this.watches.some((one) => one.key === key && one.path === dotted)) this.watches = [...this.watches, { key, path: dotted }].slice(-MOST);
    this.changed();
    this.lookAgain(key);
    return true;
  }

  removeWatch(watch: Watch): void {
    this.watches = this.watches.filter((one) => one !== watch);
    this.changed();
  }

  /** A frame has become part of the state. */
  committed(frame: Frame): void {
    for (const watch of this.watches) if (watch.key in frame.objects) this.lookAgain(watch.key);
  }

  lookAtAll(): void {
    for (const watch of this.watches) this.lookAgain(watch.key);
  }

  private lookAgain(key: string): void {
    this.stale.add(key);
    this.timer ||= window.setTimeout(() => void this.look(), REFRESH_MS);
  }

  private async look(): Promise<void> {
    const keys = [...this.stale];
    this.stale.clear();
    for (const key of keys) {
      const object = await fetchObject(this.lab.options.id, key).then((answer) => answer.object, () => undefined);
      for (const watch of this.watches) if (watch.key === key) this.saw(watch, inOneLine(valueAt(object, watch.path)));
    }
    this.timer = 0;
    this.lab.tell("debug");
    if (this.stale.size) this.lookAgain([...this.stale][0]!);
  }

  private saw(watch: Watch, value: string): void {
    if (watch.value === value) return;
    if (watch.value !== undefined) [watch.before, watch.changedAt] = [watch.value, this.lab.mode.seq];
    watch.value = value;
  }
}

const TEST = /^(actor|verb|object)\s*(=|~)\s*(\S+)$/;

/** Whether a heading meets a condition that is made of actor, verb and object alone; false for all others. */
export function meets(condition: string, heading: Heading): boolean {
  return condition.split(/\s+and\s+/).every((part) => {
    const found = TEST.exec(part.trim());
    if (!found) return false;
    const value = heading[found[1] as "actor" | "verb" | "object"], wanted = found[3]!.replace(/^"|"$/g, "");
    return found[2] === "=" ? value === wanted : new RegExp(`^${wanted.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".")}$`).test(value);
  });
}
