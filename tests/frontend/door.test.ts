// What waits before the API server, and what probes say: where it stands, and in which words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterIndex } from "../../static/src/lab/index";
import { heldTitle, placeDoor } from "../../static/src/stage/door";
import { layout } from "../../static/src/stage/layout";
import { Slots } from "../../static/src/stage/layoutNodes";
import { probesOf } from "../../static/src/stage/probes";
import type { View } from "../../static/src/stream/types";
import type { ContainerView, PodView } from "../../static/src/stream/views";
import { recording } from "./support";

const { final } = recording();
const held = (count: number) => ({ count, requests: Array.from({ length: Math.min(count, 24) }, (_, i) => ({ id: i + 1, actor: i ? "kubectl" : "helm", verb: "create", object: "deployments/default" })) });
const widthOf = (words: string): number => words.length * 7;

for (const [name, size] of [["desktop", { width: 810, height: 700 }], ["phone", { width: 390, height: 560 }]] as const) {
  test(`held requests stand in a row above the API server's bar, the rest as a number: ${name}`, () => {
    const at = layout(ClusterIndex.of(final), final.components, size, "workloads", new Slots());
    const door = placeDoor(at, held(30), widthOf, 5);
    const boxes = [...door.values()].map((one) => one.box);
    boxes.forEach((box, i) => {
      assert.ok(box.y + box.h <= at.bus.y && box.y >= at.kubectl.y + at.kubectl.h, "between the cards and the bar");
      assert.ok(box.x >= 0 && box.x + box.w <= at.width && (!i || box.x >= boxes[i - 1]!.x + boxes[i - 1]!.w));
    });
    assert.equal(door.get("held")!.words, `+${30 - (door.size - 1)}`);
    at.door = door;
    const later = placeDoor(at, { ...held(2) }, widthOf, 900);
    assert.deepEqual([...later.values()].map((one) => one.since), [5, 5].slice(0, later.size), "those that stood there do not come again");
    assert.equal(placeDoor(at, undefined, widthOf, 0).size, 0);
  });
}

test("who asks is told where it is not kubectl", () => {
  const [helm, kubectl] = held(2).requests;
  assert.deepEqual([heldTitle(helm!), heldTitle(kubectl!)], ["helm: POST deployments", "POST deployments"]);
});

test("probes tell what statuses and events let one know", () => {
  const container = (more: Partial<ContainerView>): ContainerView => ({ name: "web", image: "", state: "running", reason: "", ready: true, restarts: 0, init: false, probes: { startup: 1, liveness: 5, readiness: 2 }, started: true, since: 10_000, ...more });
  const pod = (more: Partial<ContainerView>): PodView => ({ kind: "Pod", name: "web", namespace: "default", containers: [container(more)] }) as unknown as PodView;
  const index = new ClusterIndex();
  const say = (more: Partial<ContainerView>, time: number): string => probesOf(pod(more), "pods/default/web", index, time).map(([kind, state]) => `${kind} ${state}`).join(", ");
  const failed = (kind: string, last: number): void => index.put(`events/default/${kind}`, { kind: "Event", reason: "Unhealthy", message: `${kind} probe failed: HTTP 500`, about: "pods/default/web", last } as unknown as View);
  assert.equal(say({}, 20_000), "startup ok, liveness ok, readiness ok");
  assert.equal(say({ started: false, ready: false }, 20_000), "startup waiting, liveness waiting, readiness waiting");
  assert.equal(say({ ready: false }, 20_000), "startup ok, liveness ok, readiness waiting");
  failed("Readiness", 5_000); // of the container before
  assert.equal(say({ ready: false }, 20_000), "startup ok, liveness ok, readiness waiting");
  failed("Readiness", 19_000);
  failed("Liveness", 19_000);
  assert.equal(say({ ready: false }, 20_000), "startup ok, liveness failing, readiness failing");
  assert.equal(say({}, 40_000), "startup ok, liveness ok, readiness ok", "not heard of for two periods");
  assert.equal(say({ state: "waiting", started: false, ready: false }, 20_000), "startup waiting, liveness waiting, readiness waiting");
  assert.equal(say({ probes: undefined }, 20_000), "");
});
