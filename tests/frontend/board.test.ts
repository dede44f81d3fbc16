// The lenses that are tables: what they tell of a cluster, and that nothing lies on anything else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterIndex } from "../../static/src/lab/index";
import { boardOf, nodeOf, placeBoard } from "../../static/src/stage/board";
import { serviceOf, sharesOf } from "../../static/src/stage/traffic";
import { capacities } from "../../static/src/stage/capacity";
import { partsOf, valueAt } from "../../static/src/lab/paths";
import type { State } from "../../static/src/stream/reducer";
import { recording } from "./support";

const { final } = recording();
const pods = Object.values(final.objects).filter((view) => view.kind === "Pod" && view.namespace === "default");
const some = pods[0]! as unknown as { name: string; ip: string; node: string };

function withService(): State {
  const common = { uid: "u", labels: {}, owner: null, created: 0, deleting: null, namespace: "default" };
  const service = { ...common, kind: "Service", name: "web", type: "ClusterIP", clusterIP: "10.96.0.9", ports: [{ port: 80 }], selector: {}, external: [] };
  const slice = { ...common, kind: "EndpointSlice", name: "web-1", service: "web", endpoints: pods.map((pod) => ({ ip: "", ready: true, terminating: false, node: "", pod: pod.name })) };
  const claim = { ...common, kind: "PersistentVolumeClaim", name: "data", phase: "Bound", size: "1Gi", volume: "pv-1", class: "fast" };
  const volume = { ...common, namespace: undefined, kind: "PersistentVolume", name: "pv-1", phase: "Bound", size: "1Gi", claim: "default/data", class: "fast" };
  const objects = { ...final.objects, "services/default/web": service, "endpointslices/default/web-1": slice, "persistentvolumeclaims/default/data": claim, "persistentvolumes/pv-1": volume };
  return { ...final, objects: objects as unknown as State["objects"] };
}

const area = { x: 20, y: 300, w: 1000, h: 400 };

test("an address leads to its service", () => {
  const index = ClusterIndex.of(withService());
  for (const address of ["http://web.default.svc", "web.default.svc.cluster.local:80", "http://web/", "http://10.96.0.9:80/x"]) assert.equal(serviceOf(index, address), "services/default/web", address);
  for (const address of ["http://web.other.svc", "http://example.com", "http://10.96.0.10"]) assert.equal(serviceOf(index, address), null, address);
});

test("traffic goes from sources through services to the pods that answer", () => {
  const index = ClusterIndex.of(withService());
  const served = { [`default/${some.name}`]: { served: 12, errors: 3, waiting: 0, ms: 20 } };
  const components = { traffic: { sources: { shop: { rate: 40, to: "http://web.default.svc", failed: 2, p50: 5, p99: 9 } }, pods: served } };
  const board = boardOf("traffic", index, components, "");
  assert.deepEqual(board.columns.map((column) => column.cards.length), [1, 1, pods.length]);
  assert.equal(board.columns[0]!.cards[0]!.tag, "2 failed");
  const wire = board.wires.find((one) => one.to === `pods/default/${some.name}`)!;
  assert.deepEqual([wire.from, wire.rate, wire.errors], ["services/default/web", 12, 3]);
  assert.ok(boardOf("traffic", index, {}, "").note, "without sources it says so");
});

test("an Ingress shows its canary's weight and measured share beside its own", () => {
  const common = { kind: "Ingress", uid: "u", labels: {}, owner: null, created: 0, deleting: null, namespace: "default" };
  const place = (service: string, path = "/"): object => ({ host: "shop.example", path, service });
  const objects = {
    ...withService().objects, "ingresses/default/web": { ...common, name: "web", paths: [place("web")] },
    "ingresses/default/new": { ...common, name: "new", paths: [place("next")], canary: { weight: 20, total: 100, header: "x-canary" } },
    "ingresses/default/lost": { ...common, name: "lost", paths: [place("next", "/other")], canary: { weight: 20, total: 100 } },
  };
  const index = ClusterIndex.of({ ...withService(), objects: objects as unknown as State["objects"] });
  const shares = { "services/default/web": { v1: 81 }, "services/default/next": { v2: 19 } };
  const board = boardOf("traffic", index, { traffic: { sources: { shop: { rate: 40, to: "http://shop.example" } }, pods: {}, shares } }, "");
  const routes = board.columns.find((column) => column.title === "ROUTES")!.cards;
  assert.deepEqual(routes.map((card) => [card.id, card.tag]), [["ingresses/default/web", "Ingress"], ["ingresses/default/lost", "no effect"]]);
  assert.deepEqual(routes[0]!.lines, ["shop.example", "x-canary → next"]);
  assert.deepEqual(board.wires.filter((wire) => wire.from === "ingresses/default/web").map((wire) => [wire.to, wire.label]), [["services/default/web", "80/100 · 81.0 %"], ["services/default/next", "20/100 · 19.0 %"]]);
  assert.ok(board.wires.some((wire) => wire.from === "traffic/shop" && wire.to === "ingresses/default/web"));
});

test("what stands by is idle and costs what the others do", () => {
  const state = withService();
  const [first, ...others] = pods as unknown as { name: string; labels: Record<string, string>; cpu: number }[];
  const objects = { ...state.objects } as Record<string, unknown>;
  for (const key of Object.keys(objects)) if (/^(services|endpointslices)\//.test(key) && !key.startsWith("services/default/web") && key !== "endpointslices/default/web-1") delete objects[key];
  for (const pod of [first!, ...others]) objects[`pods/default/${pod.name}`] = { ...pod, app: "web", phase: "Running", ready: true, cpu: 100, labels: { app: "web", slot: pod === first ? "green" : "blue" } };
  objects["services/default/web"] = { ...(objects["services/default/web"] as object), selector: { app: "web", slot: "blue" } };
  objects["endpointslices/default/web-1"] = { ...(objects["endpointslices/default/web-1"] as object), endpoints: others.map((pod) => ({ ip: "", ready: true, terminating: false, node: "", pod: pod.name })) };
  delete objects["endpointslices/default/web-abc"];
  const board = boardOf("traffic", ClusterIndex.of({ ...state, objects: objects as State["objects"] }), {}, "");
  const cards = board.columns.flatMap((column) => [...column.cards, ...(column.below?.cards ?? [])]);
  assert.equal(cards.find((card) => card.id === `pods/default/${first!.name}`)!.tag, "idle");
  const gauge = cards.find((card) => card.id === "capacity/default/web")!;
  assert.equal(gauge.tag, `×${(pods.length / others.length).toFixed(1)}`);
  assert.ok(!board.wires.some((wire) => wire.to === `pods/default/${first!.name}`));
});

test("a surge counts as what the release costs, and many who stand by are one card", () => {
  const state = withService();
  const set = "replicasets/default/web-old", common = { uid: "u", labels: {}, created: 0, deleting: null, namespace: "default" };
  const objects: Record<string, unknown> = { "deployments/default/web": { ...common, kind: "Deployment", name: "web", owner: null, desired: 3, current: 4, updated: 1, available: 3, images: ["shop/web:v2"] } };
  objects[set] = { ...common, kind: "ReplicaSet", name: "web-old", owner: "deployments/default/web", desired: 3, images: ["shop/web:v1"] };
  objects["replicasets/default/web-new"] = { ...common, created: 5, kind: "ReplicaSet", name: "web-new", owner: "deployments/default/web", desired: 1, images: ["shop/web:v2"] };
  const pod = (name: string, owner: string, version: string, cpu: number): unknown => ({ ...pods[0], name, owner, version, cpu, app: "web", phase: "Running", ready: true, labels: { app: "web" } });
  for (const name of ["a", "b", "c"]) objects[`pods/default/${name}`] = pod(name, set, "v1", 100);
  objects["pods/default/d"] = pod("d", "replicasets/default/web-new", "v2", 400);
  objects["services/default/web"] = { ...(state.objects["services/default/web"] as object), selector: { app: "web" } };
  objects["endpointslices/default/web-1"] = { ...(state.objects["endpointslices/default/web-1"] as object), endpoints: [{ ip: "", ready: true, terminating: false, node: "", pod: "d" }] };
  const index = ClusterIndex.of({ ...state, objects: objects as State["objects"] });
  assert.deepEqual(capacities(index), [{ app: "default/web", asked: 700, needed: 300 }]);
  const board = boardOf("traffic", index, { traffic: { sources: {}, pods: {}, shares: { "services/default/web": { v1: 30, v2: 10 } } } }, "");
  const below = board.columns[0]!.below!.cards;
  assert.deepEqual(below.map((card) => [card.id, card.lines[0]]), [["deployments/default/web", "1 of 3 new, 3 available"], ["capacity/default/web", "7 cores requested, 3 without a release".replaceAll(/\d/g, (n) => `0.${n}`)]]);
  const cards = board.columns.flatMap((column) => column.cards);
  assert.deepEqual(cards.filter((card) => card.tag === "idle").map((card) => [card.id, card.lines[0]]), [[set, "3 pods of v1 stand by"]]);
  assert.deepEqual(cards.find((card) => card.id === "services/default/web")!.shares!.map((share) => share.part), [0.75, 0.25]);
});

test("measured shares stand beside the share of pods", () => {
  assert.deepEqual(sharesOf({ v1: 90, v2: 10 }, new Map([["v1", 9], ["v2", 1]])), ["v1 9/10 · 90.0 %", "v2 1/10 · 10.0 %"]);
  assert.deepEqual(sharesOf({ v1: 90 }, new Map([["v1", 9]])), ["v1 100 %"]);
  assert.equal(sharesOf({}), null);
});

test("storage goes from claims to volumes", () => {
  const board = boardOf("storage", ClusterIndex.of(withService()), {}, "");
  assert.ok(board.wires.some((wire) => wire.from === "persistentvolumeclaims/default/data" && wire.to === "persistentvolumes/pv-1"));
});

test("the inside of a node shows its own pods and their containers", () => {
  const index = ClusterIndex.of(final);
  const node = some.node;
  assert.equal(nodeOf(index, `pods/default/${some.name}`), node);
  const board = boardOf("node", index, final.components, `nodes/${node}`);
  const shown = board.columns.flatMap((column) => column.cards.map((card) => card.id)).filter((id) => id.startsWith("pods/"));
  assert.deepEqual(new Set(shown), index.podsOn(node));
});

test("cards of a board do not overlap, and wires end at cards", () => {
  for (const lens of ["traffic", "storage", "node"] as const) {
    const placed = placeBoard(boardOf(lens, ClusterIndex.of(withService()), final.components, ""), area, false);
    const boxes = [...placed.boxes.values()];
    for (const [i, a] of boxes.entries()) {
      assert.ok(a.x >= area.x && a.x + a.w <= area.x + area.w + 0.5, lens);
      for (const b of boxes.slice(i + 1)) assert.ok(a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y, lens);
    }
  }
});

test("fields are found by path, items of lists by place, name or type", () => {
  const object = { status: { conditions: [{ type: "Ready", status: "True" }] }, spec: { containers: [{ name: "web", image: "nginx" }] } };
  assert.equal(valueAt(object, ".status.conditions[Ready].status"), "True");
  assert.equal(valueAt(object, ".spec.containers[0].image"), "nginx");
  assert.equal(valueAt(object, "spec.containers[web].image"), "nginx");
  for (const path of [".status.nothing", ".spec.containers[4]", ".constructor.name", ".__proto__"]) assert.equal(valueAt(object, path), undefined, path);
  for (const path of ["", "[", ".a[", "..a]"]) assert.equal(partsOf(path), null, path);
});
