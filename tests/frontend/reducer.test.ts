// The law of the stream: snapshot(k) + frames k+1 … n = snapshot(n), on recorded frames.
import assert from "node:assert/strict";
import { test } from "node:test";
import { reduce, type State } from "../../static/src/stream/reducer";
import type { Frame } from "../../static/src/stream/types";
import { recording, frozen } from "./support";

const { snapshot, frames, final } = recording();

test("snapshot(0) and all frames give the final snapshot", () => {
  assert.deepEqual(frames.reduce(reduce, snapshot), final);
});

test("it does not matter where one joins", () => {
  const states: State[] = [snapshot];
  for (const frame of frames) states.push(reduce(states.at(-1)!, frame));
  for (const k of [1, 7, 20, frames.length - 1]) assert.deepEqual(frames.slice(k).reduce(reduce, states[k]!), final);
});

test("reducing changes neither the state nor the frame", () => {
  const state = frozen(structuredClone(snapshot));
  for (const frame of frames) reduce(state, frozen(structuredClone(frame)));
  assert.deepEqual(state, snapshot);
});

test("a null view removes the object, a null field the field", () => {
  const state: State = { seq: 1, time: 5, eventsAfter: 0, objects: { "pods/default/a": { kind: "Pod" } as never }, components: { etcd: { leader: "etcd-0", term: 2 } } };
  const frame = { ...frames[0]!, seq: 2, time: 6, objects: { "pods/default/a": null }, components: { etcd: { leader: null, term: 3 } } } as unknown as Frame;
  assert.deepEqual(reduce(state, frame), { seq: 2, time: 6, eventsAfter: 0, objects: {}, components: { etcd: { term: 3 } } });
});
