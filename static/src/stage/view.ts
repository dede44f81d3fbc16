// How near the stage is looked at. An overview of many nodes is laid out with more room, so that more of each can be told; anything else
// is drawn larger. What does not fit is scrolled, and only what is in sight is drawn.
import type { Box } from "./geometry";
import { OVERVIEW, type Layout } from "./layout";

export const NEAREST = 8;

export interface View {
  /** How much larger than the window the sheet is. */
  zoom: number;
  /** How much of that is larger drawing rather than more room. */
  magnified: number;
}

export const WHOLE: View = { zoom: 1, magnified: 1 };

export function viewOf(zoom: number, at: Layout, nodes: number): View {
  const near = Math.max(1, Math.min(NEAREST, zoom));
  return { zoom: near, magnified: at.board || at.lens === "ownership" || nodes <= OVERVIEW ? near : 1 };
}

/** Whether looking nearer shows more than it hides. */
export const isOverview = (at: Layout): boolean => at.nodes.size > OVERVIEW;

export const meets = (box: Box, window: Box): boolean => box.x < window.x + window.w && box.x + box.w > window.x && box.y < window.y + window.h && box.y + box.h > window.y;

/** A place on the stage that can be found again when it was laid out anew: a part of a node, or else of the whole. */
export interface Anchor {
  node: string;
  x: number;
  y: number;
}

export function anchorAt(at: Layout, x: number, y: number): Anchor {
  for (const [node, { box }] of at.nodes) if (meets(box, { x: x - 3, y: y - 3, w: 6, h: 6 })) return { node, x: (x - box.x) / box.w, y: (y - box.y) / box.h };
  return { node: "", x: x / at.width, y: y / at.height };
}

export function placeOf(anchor: Anchor, at: Layout): { x: number; y: number } {
  const box = at.nodes.get(anchor.node)?.box ?? { x: 0, y: 0, w: at.width, h: at.height };
  return { x: box.x + anchor.x * box.w, y: box.y + anchor.y * box.h };
}
