// What counts down on the stage: evictions by taints, terminations, pulls of images.
import assert from "node:assert/strict";
import { test } from "node:test";
import { evictionOf, left, pullOf, taintsOf } from "../../static/src/stage/countdown";
import { lookOf } from "../../static/src/stage/pod";
import type { NodeView, PodView } from "../../static/src/stream/views";
import { recording } from "./support";

const { final } = recording();
const pod = Object.values(final.objects).find((view) => view.kind === "Pod" && view.namespace === "default") as PodView;
const node = final.objects["nodes/node-1"] as NodeView;
const tainted = (...taints: NodeView["taints"]): NodeView => ({ ...node, taints });
const GONE = { key: "node.kubernetes.io/unreachable", value: "", effect: "NoExecute", added: 1000 };

test("a pod leaves a lost node after the five minutes that every pod gets, or what it says itself", () => {
  assert.deepEqual(evictionOf(pod, tainted(GONE)), { at: 301_000, of: 300_000 });
  assert.deepEqual(evictionOf({ ...pod, tolerates: [["node.kubernetes.io/unreachable", null, 20], ["", null, 60]] }, tainted(GONE)), { at: 21_000, of: 20_000 });
  assert.equal(evictionOf({ ...pod, tolerates: [["", null, null]] }, tainted(GONE)), null);
  assert.deepEqual(evictionOf({ ...pod, tolerates: [] }, tainted(GONE)), { at: 1000, of: 0 });
  assert.deepEqual(evictionOf({ ...pod, tolerates: [["dedicated", "other", 60]] }, tainted({ key: "dedicated", value: "batch", effect: "NoExecute", added: 5 })), { at: 5, of: 0 });
  assert.equal(evictionOf(pod, tainted({ ...GONE, effect: "NoSchedule" })), null);
  assert.equal(evictionOf(pod, node), null);
});

test("the soonest of several taints counts", () => {
  const both = tainted(GONE, { key: "node.kubernetes.io/not-ready", value: "", effect: "NoExecute", added: 500 });
  assert.equal(evictionOf(pod, both)!.at, 300_500);
});

test("what a pod's card says while it counts down", () => {
  assert.equal(lookOf(pod, 58_000, true, { at: 301_000, of: 300_000 }).word, "evicted in 4:03");
  assert.equal(lookOf(pod, 400_000, true, { at: 301_000, of: 300_000 }).word, "unknown");
  const going = { ...pod, deleting: 1000, graceUntil: 31_000 };
  assert.deepEqual([lookOf(going, 13_000, false).word, lookOf(going, 13_000, false).short], ["18 s left", "18 s"]);
  assert.deepEqual([left(59_001), left(61_000)], ["1:00", "1:01"]);
});

test("a node tells its taints once each, the hardest effect first; what its card says already is left out", () => {
  const told = taintsOf(tainted(GONE, { ...GONE, effect: "NoSchedule" }, { key: "node-role.kubernetes.io/control-plane", value: "", effect: "NoSchedule" }, { key: "dedicated", value: "batch", effect: "NoSchedule" }));
  assert.deepEqual(told, [{ words: "unreachable: NoExecute", hard: true }, { words: "dedicated=batch: NoSchedule", hard: false }]);
});

test("how far a pull has come", () => {
  const waiting = { ...pod, node: "node-1", containers: [{ ...pod.containers[0]!, state: "waiting", image: "shop/web:v2" }] };
  const components = { "runtime/node-1": { pulls: [["shop/web:v2", 1000, 3000, [60, 40]]] } };
  assert.deepEqual(pullOf(components, waiting, 2000), { part: 0.5, layers: [60, 40] });
  assert.equal(pullOf(components, { ...waiting, containers: [{ ...waiting.containers[0]!, image: "shop/cart:v2" }] }, 2000), null);
  assert.equal(pullOf(components, { ...waiting, node: null }, 2000), null);
});
