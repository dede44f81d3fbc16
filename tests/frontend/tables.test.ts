// Snapshots of tables, as the server packs them (tests/stream/test_law.py holds it to the same file), and a state that lets go of old Events.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { applyFrame, copyState, EMPTY } from "../../static/src/stream/reducer";
import { opened } from "../../static/src/stream/tables";
import type { Frame, PackedSnapshot, View } from "../../static/src/stream/types";

const file = JSON.parse(readFileSync("tests/frontend/fixtures/tables.json", "utf8")) as { views: Record<string, View>; tables: PackedSnapshot["tables"] };

test("tables give the views that were packed", () => {
  const rest = { seq: 7, time: 9, eventsAfter: 3, components: { etcd: { term: 2 } } };
  assert.deepEqual(opened({ ...rest, tables: file.tables }), { ...rest, objects: file.views });
  assert.deepEqual(Object.keys(opened({ ...rest, tables: file.tables }).objects), Object.keys(file.views));
});

test("a snapshot that comes as objects stays as it is", () => {
  const plain = { ...EMPTY, objects: file.views };
  assert.equal(opened(plain), plain);
});

test("of too many Events the older half goes, and the state says which ones it holds", () => {
  const state = copyState({ ...EMPTY, objects: { "nodes/node-1": file.views["nodes/node-1"]! } });
  const frame = (seq: number, objects: Frame["objects"]): void => applyFrame(state, { seq, time: seq, objects, components: {} } as unknown as Frame, 6);
  const written = (): number[] => Object.entries(state.objects).filter(([key]) => key.startsWith("events/")).map(([, view]) => (view as unknown as { written: number }).written).sort((a, b) => a - b);
  for (let seq = 1; seq <= 6; seq++) frame(seq, { [`events/default/e${seq}`]: { kind: "Event", written: seq * 10 } as unknown as View });
  frame(7, { "events/default/e1": { kind: "Event", written: 70 } as unknown as View, "events/default/e2": null });
  assert.deepEqual([state.eventsAfter, written()], [0, [30, 40, 50, 60, 70]]);
  frame(8, { "events/default/e7": { kind: "Event", written: 80 } as unknown as View, "events/default/e8": { kind: "Event", written: 81 } as unknown as View });
  assert.deepEqual([state.eventsAfter, written()], [60, [70, 80, 81]]);
  frame(9, { "events/default/e3": null, "events/default/e4": { kind: "Event", written: 90 } as unknown as View });
  assert.deepEqual([state.eventsAfter, written()], [60, [70, 80, 81, 90]]);
  assert.ok(state.objects["nodes/node-1"]);
});
