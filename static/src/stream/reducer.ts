// The law of the stream: snapshot(k) + frames k+1 … n = snapshot(n). Mirrors clusterlab/stream/reduce.py.
import type { Frame, Snapshot, View } from "./types";

export type State = Snapshot;

export const EMPTY: State = { seq: 0, time: 0, objects: {}, components: {} };

/** A copy that `applyFrame` may change: views and component fields stay shared, since nobody changes those. */
export function copyState(state: State): State {
  return { ...state, objects: { ...state.objects }, components: { ...state.components } };
}

function mergePart(before: Record<string, unknown> | undefined, part: Record<string, unknown>): Record<string, unknown> {
  const after = { ...before, ...part };
  for (const [field, value] of Object.entries(part)) if (value === null) delete after[field];
  return after;
}

/** Applies a frame to a state in place. For whoever owns the state alone; everyone else takes `reduce`. */
export function applyFrame(state: State, frame: Frame): void {
  state.seq = frame.seq;
  state.time = frame.time;
  for (const [key, view] of Object.entries(frame.objects)) {
    if (view === null) delete state.objects[key];
    else state.objects[key] = view as View;
  }
  for (const [name, part] of Object.entries(frame.components)) state.components[name] = mergePart(state.components[name], part);
}

/** The state after a frame. Pure. */
export function reduce(state: State, frame: Frame): State {
  const next = copyState(state);
  applyFrame(next, frame);
  return next;
}
