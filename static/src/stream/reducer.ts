// The law of the stream: snapshot(k) + frames k+1 … n = snapshot(n), with the Events that the state says it holds. Mirrors clusterlab/stream/reduce.py.
import type { Frame, Snapshot, View } from "./types";
import type { EventView } from "./views";

export type State = Snapshot;

export const EMPTY: State = { seq: 0, time: 0, eventsAfter: 0, objects: {}, components: {} };

/** Events that a state holds at most; then it lets go of the older half. */
export const EVENTS_MOST = 2000;
const EVENTS = "events/";
/** How many Events are in an object of views; counted once. */
const eventsIn = new WeakMap<State["objects"], number>();

/** A copy that `applyFrame` may change: views and component fields stay shared, since nobody changes those. */
export function copyState(state: State): State {
  return { ...state, objects: { ...state.objects }, components: { ...state.components } };
}

function countOf(objects: State["objects"]): number {
  let count = eventsIn.get(objects);
  if (count === undefined) {
    count = 0;
    for (const key in objects) if (key.startsWith(EVENTS)) count++;
  }
  return count;
}

/** Lets go of the older half of too many Events. */
function forget(state: State, most: number): void {
  const held = Object.entries(state.objects).filter(([key]) => key.startsWith(EVENTS)) as [string, EventView][];
  const written = held.map(([, view]) => view.written).sort((a, b) => a - b);
  state.eventsAfter = written[written.length - Math.floor(most / 2) - 1]!;
  for (const [key, view] of held) if (view.written <= state.eventsAfter) delete state.objects[key];
}

function mergePart(before: Record<string, unknown> | undefined, part: Record<string, unknown>): Record<string, unknown> {
  const after = { ...before, ...part };
  for (const [field, value] of Object.entries(part)) if (value === null) delete after[field];
  return after;
}

/** Applies a frame to a state in place. For whoever owns the state alone; everyone else takes `reduce`. */
export function applyFrame(state: State, frame: Frame, eventsMost = EVENTS_MOST): void {
  const { objects } = state;
  let events = countOf(objects);
  state.seq = frame.seq;
  state.time = frame.time;
  for (const [key, view] of Object.entries(frame.objects)) {
    if (key.startsWith(EVENTS)) events += Number(view !== null) - Number(key in objects);
    if (view === null) delete state.objects[key];
    else state.objects[key] = view as View;
  }
  for (const [name, part] of Object.entries(frame.components)) state.components[name] = mergePart(state.components[name], part);
  if (events > eventsMost) forget(state, eventsMost);
  eventsIn.set(objects, events > eventsMost ? Math.floor(eventsMost / 2) : events);
}

/** The state after a frame. Pure. */
export function reduce(state: State, frame: Frame): State {
  const next = copyState(state);
  applyFrame(next, frame);
  return next;
}
