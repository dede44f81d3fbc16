// The graph of owners: the server says what stands in which layer, the page gives it pixels; nothing over anything else, few pods or many.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterIndex } from "../../static/src/lab/index";
import type { OwnersAnswer } from "../../static/src/lab/api";
import { NO_EXTRAS } from "../../static/src/stage/board";
import type { Box } from "../../static/src/stage/geometry";
import { layout, type Layout } from "../../static/src/stage/layout";
import { Slots } from "../../static/src/stage/layoutNodes";
import { Tween } from "../../static/src/stage/tween";
import type { Snapshot, View } from "../../static/src/stream/types";
import { recording } from "./support";

const { final } = recording();
const owner = (kind: string): [string, View] => Object.entries(final.objects).find(([, view]) => view.kind === kind && view.namespace === "default")!;

/** A Deployment with a ReplicaSet, so many pods, a service and a budget. */
function cluster(pods: number): { state: Snapshot; graph: OwnersAnswer } {
  const [deployment, deploymentView] = owner("Deployment"), [set, setView] = owner("ReplicaSet"), [, pod] = owner("Pod");
  const objects: Record<string, View> = { [deployment]: deploymentView, [set]: { ...setView, owner: deployment }, "services/default/web": { ...pod, kind: "Service", name: "web", ports: [], selector: {}, clusterIP: "10.96.0.9", owner: null } as unknown as View };
  for (let i = 0; i < pods; i++) objects[`pods/default/p-${i}`] = { ...pod, name: `p-${i}`, owner: set };
  const node = (id: string, kind: string, layer: number, count = 1) => ({ id, kind, name: id.split("/").at(-1)!, layer, y: 0, part: 0, count });
  const nodes = [node(deployment, "Deployment", 0), node(set, "ReplicaSet", 1), node(`pods:${set}`, "Pod", 2, pods), node("services/default/web", "Service", 3), node("poddisruptionbudgets/default/web", "PodDisruptionBudget", 3)];
  return { state: { ...final, objects }, graph: { nodes, edges: [[deployment, set, "owns"], [set, `pods:${set}`, "owns"], [`pods:${set}`, "services/default/web", "selects"], [`pods:${set}`, "poddisruptionbudgets/default/web", "selects"]], more: 0 } };
}

const lay = (pods: number, size: { width: number; height: number }, slots = new Slots()): Layout => {
  const { state, graph } = cluster(pods);
  return layout(ClusterIndex.of(state), state.components, size, "ownership", slots, "", { ...NO_EXTRAS, owners: graph });
};
const over = (a: Box, b: Box): boolean => a.x < b.x + b.w - 0.5 && b.x < a.x + a.w - 0.5 && a.y < b.y + b.h - 0.5 && b.y < a.y + a.h - 0.5;

for (const pods of [1, 5, 60, 1000, 10_000]) {
  for (const size of [{ width: 1080, height: 700 }, { width: 860, height: 520 }, { width: 390, height: 560 }]) {
    test(`${pods} pods of one owner, ${size.width} wide`, () => {
      const at = lay(pods, size);
      const cards = [at.bus, ...at.owners.values(), ...at.services.values(), ...[...at.others.values(), ...at.groups.values()].map((one) => one.box)];
      cards.forEach((a, i) => cards.slice(i + 1).forEach((b) => assert.ok(!over(a, b), `${JSON.stringify(a)} over ${JSON.stringify(b)}`)));
      const group = [...at.groups.values()][0]!.box;
      assert.ok(at.pods.size === pods || at.pods.size > 1500);
      for (const { box } of at.pods.values()) assert.ok(box.x >= group.x && box.x + box.w <= group.x + group.w + 0.5 && box.y >= group.y && box.y + box.h <= group.y + group.h + 0.5);
      for (const box of cards) assert.ok(box.x >= 0 && box.x + box.w <= at.width + 0.5 && box.y + box.h <= at.height + 0.5);
      if (size.width < 620) return;
      const lefts = [at.owners.get(owner("Deployment")[0])!, at.owners.get(owner("ReplicaSet")[0])!, group, ...at.services.values()].map((box) => box.x);
      assert.deepEqual(lefts, [...lefts].sort((a, b) => a - b));
      assert.ok([...at.owners.values()].every((box) => box.y < 420), "owners stay in sight whatever they own");
      assert.equal(at.ownerLinks.filter((link) => link.dashed).length, 2);
    });
  }
}

test("a pod that comes takes a free place; the others stay", () => {
  const slots = new Slots(), size = { width: 1080, height: 700 };
  const before = lay(4, size, slots), after = lay(5, size, slots);
  for (const [key, pod] of before.pods) assert.deepEqual([after.pods.get(key)!.box.x, after.pods.get(key)!.box.y], [pod.box.x, pod.box.y]);
});

test("cards move to their new places, and lines with them", () => {
  const size = { width: 1080, height: 700 };
  const before = lay(3, size), after = lay(40, size), tween = new Tween();
  tween.plan(before, after, 0, 1);
  assert.ok(tween.active);
  const [id] = [...after.owners.keys()];
  const y = (at: Layout): number => at.owners.get(id!)!.y;
  assert.equal(y(tween.at(after, 0)), y(before));
  const midway = tween.at(after, 190);
  assert.ok(y(midway) > Math.min(y(before), y(after)) && y(midway) < Math.max(y(before), y(after)));
  assert.equal(midway.ownerLinks[0]!.points[0]!.y, y(midway) + midway.owners.get(id!)!.h / 2);
  assert.equal(tween.at(after, 1000), after);
  assert.ok(!tween.active);
});
