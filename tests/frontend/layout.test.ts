// The layout: everything on the stage, nothing over anything else, less of each as there is more of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterIndex } from "../../static/src/lab/index";
import { actorBox, wireOf } from "../../static/src/stage/actors";
import { beneath } from "../../static/src/stage/held";
import { layout, type Lens } from "../../static/src/stage/layout";
import { Slots } from "../../static/src/stage/layoutNodes";
import type { Box } from "../../static/src/stage/geometry";
import { anchorAt, isOverview, placeOf, viewOf } from "../../static/src/stage/view";
import { EMPTY, reduce } from "../../static/src/stream/reducer";
import type { Snapshot, View } from "../../static/src/stream/types";
import type { PodView } from "../../static/src/stream/views";
import { recording } from "./support";

const { snapshot, frames, final } = recording();
const DESKTOP = { width: 810, height: 700 }, PHONE = { width: 390, height: 560 };

function cluster(nodes: number, pods: number): Snapshot {
  const node = final.objects["nodes/node-1"]!, pod = Object.values(final.objects).find((view) => view.kind === "Pod" && view.namespace === "default")!;
  const objects: Record<string, View> = {};
  for (let i = 0; i < nodes; i++) objects[`nodes/node-${i}`] = { ...node, name: `node-${i}` };
  for (let i = 0; i < pods; i++) objects[`pods/default/p-${i}`] = { ...pod, name: `p-${i}`, node: `node-${i % nodes}` } as View;
  return { ...final, objects };
}

const lay = (state: Snapshot, size = DESKTOP, lens: Lens = "workloads", slots = new Slots()) => layout(ClusterIndex.of(state), state.components, size, lens, slots);
const overlap = (a: Box, b: Box): boolean => a.x < b.x + b.w - 0.5 && b.x < a.x + a.w - 0.5 && a.y < b.y + b.h - 0.5 && b.y < a.y + a.h - 0.5;
const disjoint = (boxes: Box[], what: string): void => boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => assert.ok(!overlap(a, b), `${what}: ${JSON.stringify(a)} over ${JSON.stringify(b)}`)));

for (const [name, size] of [["desktop", DESKTOP], ["phone", PHONE], ["projector", { width: 1600, height: 900 }]] as const) {
  for (const lens of ["workloads", "control-plane", "scheduling", "etcd", "ownership", "node", "traffic", "storage", "access"] as const) {
    test(`cards do not overlap and lie within the stage: ${name}, ${lens}`, () => {
      const at = lay(frames.slice(0, 30).reduce(reduce, snapshot), size, lens);
      const cards = [at.kubectl, at.etcd, at.controllers, at.scheduler, at.bus, ...[...at.nodes.values()].map((node) => node.box), ...at.shelf.values(), ...at.services.values(), ...at.owners.values(), ...(at.board?.boxes.values() ?? [])];
      disjoint(cards, "cards");
      for (const box of cards) assert.ok(box.x >= 0 && box.x + box.w <= at.width + 0.5 && box.y >= 0 && box.y + box.h <= at.height + 0.5 && box.w > 20 && box.h > 10, JSON.stringify(box));
      disjoint([...at.chips.values()], "chips");
      disjoint([...at.pods.values()].map((pod) => pod.box), "pods");
    });
  }
}

test("every pod is on its node's card", () => {
  const at = lay(final);
  for (const pod of at.pods.values()) {
    const { box } = at.nodes.get(pod.node)!;
    assert.ok(pod.box.x >= box.x && pod.box.x + pod.box.w <= box.x + box.w && pod.box.y >= box.y && pod.box.y + pod.box.h <= box.y + box.h);
  }
});

test("the more there is, the less of each is drawn", () => {
  const details = [[3, 6], [3, 45], [100, 1000], [1000, 10_000]].map(([nodes, pods]) => {
    const at = lay(cluster(nodes!, pods!), { width: 1100, height: 700 });
    assert.equal(at.nodes.size, nodes);
    const hidden = [...at.nodes.values()].reduce((sum, node) => sum + node.hidden, 0);
    assert.equal(at.pods.size + hidden, pods);
    return `${[...at.nodes.values()][0]!.detail} ${[...at.pods.values()][0]!.detail}`;
  });
  assert.deepEqual(details, ["full card", "full mini", "compact square", "cell dot"]);
});

test("pods that stay keep their places when others go and come", () => {
  const slots = new Slots();
  const first = slots.assign("node-1", ["a", "b", "c"], 9);
  const second = slots.assign("node-1", ["c", "d", "a"], 9);
  assert.equal(second.get("a"), first.get("a"));
  assert.equal(second.get("c"), first.get("c"));
  assert.equal(second.get("d"), first.get("b"));
});

test("a pod without a node waits in the scheduler's queue", () => {
  const at = lay(frames.slice(0, 5).reduce(reduce, snapshot));
  const waiting = [...at.pods.values()].filter((pod) => pod.detail === "token");
  assert.equal(waiting.length, 1);
  assert.ok(!overlap(waiting[0]!.box, at.etcd) && overlap(waiting[0]!.box, at.scheduler));
});

test("every wire ends on the API server's bar", () => {
  for (const [size, lens] of [[DESKTOP, "workloads"], [PHONE, "workloads"], [DESKTOP, "scheduling"], [PHONE, "scheduling"], [DESKTOP, "etcd"], [PHONE, "control-plane"]] as const) {
    const at = lay(final, size, lens);
    for (const actor of ["kubectl", "etcd", "kube-scheduler", "deployment-controller", "kubelet/node-1", "kube-proxy/node-3", "kubelet/control-plane"]) {
      assert.ok(actorBox(at, actor), actor);
      const end = wireOf(at, actor).at(-1)!;
      assert.ok(end.x >= at.bus.x && end.x <= at.bus.x + at.bus.w && end.y >= at.bus.y && end.y <= at.bus.y + at.bus.h, `${actor}: ${JSON.stringify(end)}`);
    }
  }
});

test("a version has one colour and one pattern, whoever joins when", () => {
  const early = ClusterIndex.of(snapshot);
  const states = [snapshot];
  for (const frame of frames) {
    early.number(frame.components["versions"]);
    for (const [key, view] of Object.entries(frame.objects)) early.put(key, view);
    states.push(reduce(states.at(-1)!, frame));
  }
  const late = ClusterIndex.of(final);
  for (const [key, pod] of late.pods) assert.deepEqual(late.versionOf(pod), early.versionOf(pod), key);
  const patterns = new Set([...late.pods.values()].filter((pod) => pod.app === "web").map((pod) => late.versionOf(pod).pattern));
  assert.deepEqual([...patterns], [1]);
});

test("apps of the same second look the same on a page that came late, when one that came first has gone, and beyond those that are numbered", () => {
  const [key, pod] = Object.entries(final.objects).find(([each]) => each.startsWith("pods/default/"))! as [string, PodView];
  const named = (app: string): PodView => ({ ...pod, name: `${app}-1`, app, version: "1", created: 5000 });
  const live = ClusterIndex.of(EMPTY);
  for (const [number, app] of ["web", "gone", "db"].entries()) {
    live.number({ [`default/${app}/1`]: number });
    live.put(`pods/default/${app}-1`, named(app));
  }
  live.put("pods/default/gone-1", null);
  const late = ClusterIndex.of({
    ...EMPTY, objects: { "pods/default/db-1": named("db"), "pods/default/web-1": named("web") },
    components: { versions: { "default/web/1": 0, "default/gone/1": 1, "default/db/1": 2 } },
  });
  for (const index of [live, late]) assert.deepEqual(["web", "db"].map((app) => index.versionOf(named(app)).color), [0, 2], key);
  assert.deepEqual(late.versionOf(named("more")), live.versionOf(named("more")));
});

test("a wire passes beneath the cards in its way", () => {
  const path = [{ x: 50, y: 200 }, { x: 50, y: 190 }, { x: 80, y: 190 }, { x: 80, y: 20 }];
  const pieces = beneath(path, [{ x: 60, y: 100, w: 100, h: 40 }, { x: 200, y: 60, w: 50, h: 20 }]);
  assert.deepEqual(pieces, [[...path.slice(0, 3), { x: 80, y: 140 }], [{ x: 80, y: 100 }, { x: 80, y: 20 }]]);
});

test("many nodes get more room when they are looked at from nearer, and what was looked at is found again", () => {
  const state = cluster(600, 3000), far = lay(state), near = lay(state, { width: DESKTOP.width * 5, height: DESKTOP.height * 5 });
  assert.deepEqual([isOverview(far), viewOf(5, far, 600), viewOf(50, far, 600).zoom], [true, { zoom: 5, magnified: 1 }, 8]);
  assert.deepEqual([far.nodes.get("node-77")!.detail, near.nodes.get("node-77")!.detail], ["cell", "compact"]);
  const { box } = far.nodes.get("node-77")!, anchor = anchorAt(far, box.x + box.w / 2, box.y + box.h / 2);
  const place = placeOf(anchor, near), after = near.nodes.get("node-77")!.box;
  assert.equal(anchor.node, "node-77");
  assert.deepEqual(place, { x: after.x + after.w / 2, y: after.y + after.h / 2 });
});

test("few nodes, and lenses of cards, are drawn larger", () => {
  const few = lay(cluster(3, 6));
  assert.deepEqual(viewOf(2, few, 3), { zoom: 2, magnified: 2 });
  assert.deepEqual(viewOf(2, lay(cluster(100, 6), DESKTOP, "storage"), 100), { zoom: 2, magnified: 2 });
  assert.equal(isOverview(few), false);
  assert.deepEqual(placeOf(anchorAt(few, 0, 0), few), { x: 0, y: 0 });
});
