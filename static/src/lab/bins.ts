// Ticks of the timeline, as many as fit: one for each step while there is room, else one for each stretch of them. Pure.
import type { Headings } from "./headings";
import { categoryOf, type Category } from "./words";

export interface Bin {
  x: number;
  w: number;
  /** 0 to 1. */
  height: number;
  from: number;
  to: number;
  category: Category | null;
}

const LEAST_W = 3;

/** `step`: pixels a step; `width`: pixels there are. */
export function binsOf(headings: Headings, step: number, width: number): Bin[] {
  const each = Math.max(1, Math.ceil(LEAST_W / Math.max(step, 0.0001)));
  const bins: Bin[] = [];
  for (let from = 1; from <= headings.last; from += each) {
    const to = Math.min(headings.last, from + each - 1);
    const x = (from - 1) * step;
    if (x > width) break;
    bins.push({ x, w: Math.max(1, step * each - (step * each > 4 ? 2.4 : 0.6)), from, to, ...tally(headings, from, to) });
  }
  return bins;
}

function tally(headings: Headings, from: number, to: number): { category: Category | null; height: number } {
  const counts = new Map<Category, number>();
  let loud = 0, known = 0, best: Category | null = null;
  for (let seq = from; seq <= to; seq++) {
    const heading = headings.get(seq);
    if (!heading) continue;
    known++;
    if (!heading.routine) loud++;
    const category = categoryOf(heading.actor);
    const count = (counts.get(category) ?? 0) + (heading.routine ? 0.1 : category === "user" || category === "fault" ? 50 : 1);
    counts.set(category, count);
    if (best === null || count > (counts.get(best) ?? 0)) best = category;
  }
  const one = from === to;
  const height = !known ? 0.3 : one ? (loud ? (best === "user" || best === "fault" ? 1 : 0.72) : 0.26) : 0.26 + 0.74 * (loud / known);
  return { category: best, height };
}
