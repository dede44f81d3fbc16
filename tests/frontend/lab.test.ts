// What the page knows around the stream: YAML lines, ticks, headings, and that the generated types are those of the schema.
import assert from "node:assert/strict";
import { test } from "node:test";
import { spawnSync } from "node:child_process";
import { binsOf } from "../../static/src/lab/bins";
import { finding, MOST_FOUND } from "../../static/src/lab/finding";
import { Headings } from "../../static/src/lab/headings";
import { OneAtATime } from "../../static/src/lab/oneAtATime";
import { litLines, pathsOf } from "../../static/src/lab/yaml";
import { age, clock } from "../../static/src/lab/words";
import { requestTitle } from "../../static/src/stage/travel";
import { lookOf } from "../../static/src/stage/pod";
import type { PodView } from "../../static/src/stream/views";
import { recording } from "./support";

const { frames, final } = recording();
const YAML = `apiVersion: v1
metadata:
  labels:
    app.kubernetes.io/name: web
  name: web
spec:
  containers:
  - args:
    - --port=80
    - run
    image: shop/web:v2
    name: web
  - name: side
  nodeName: node-2
status:
  conditions:
    - type: Ready
      status: "True"
`;

test("types.ts is what the schema says", () => {
  const run = spawnSync(process.execPath, ["scripts/types.mjs", "--check"], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
});

test("every line of YAML has its path", () => {
  const paths = pathsOf(YAML.trimEnd().split("\n"));
  assert.equal(paths[3], ".metadata.labels.app.kubernetes.io/name");
  assert.equal(paths[7], ".spec.containers[0].args");
  assert.equal(paths[9], ".spec.containers[0].args[1]");
  assert.equal(paths[10], ".spec.containers[0].image");
  assert.equal(paths[12], ".spec.containers[1].name");
  assert.equal(paths[13], ".spec.nodeName");
  assert.equal(paths[17], ".status.conditions[0].status");
});

test("changed paths light their lines and what lies within", () => {
  const lit = litLines(YAML, [".spec.nodeName", ".spec.containers[0].image", ".status"]).filter((line) => line.changed).map((line) => line.text.trim());
  assert.deepEqual(lit, ["image: shop/web:v2", "nodeName: node-2", "status:", "conditions:", "- type: Ready", 'status: "True"']);
});

test("the chain of causes ends where nothing inside caused it", () => {
  const headings = new Headings();
  headings.put(frames);
  const chain = headings.why(10).map((step) => step.seq);
  assert.ok(chain.length > 3);
  assert.equal(headings.get(chain.at(-1)!)!.because, 0);
});

test("a timeline that was cut forgets what will not happen", () => {
  const headings = new Headings();
  headings.put(frames);
  headings.end(12);
  assert.equal(headings.last, 12);
  assert.equal(headings.get(13), undefined);
  assert.equal(headings.get(12)?.seq, 12);
});

test("ticks: one a step while there is room, stretches beyond, never more than fit", () => {
  const headings = new Headings();
  headings.put(frames);
  assert.equal(binsOf(headings, 7, 800).length, frames.length);
  headings.put(Array.from({ length: 10_000 }, (_, i) => ({ ...frames[i % frames.length]!, seq: i + 1 })));
  const bins = binsOf(headings, 800 / 10_000, 800);
  assert.ok(bins.length <= 300 && bins.length > 200, String(bins.length));
  assert.equal(bins[0]!.from, 1);
  assert.equal(bins.at(-1)!.to, 10_000);
});

test("times and requests in people's words", () => {
  assert.equal(clock(4210), "4.210 s");
  assert.equal(clock(125_300), "2:05.3");
  assert.equal(age(185_000), "3m");
  assert.equal(requestTitle("create", "pods/default/web-1/binding"), "POST binding");
  assert.equal(requestTitle("create binding", "pods/default/web-1"), "POST binding");
  assert.equal(requestTitle("patch", "pods/default/web-1"), "PATCH pods");
  assert.equal(requestTitle("create", "deployments/default"), "POST deployments");
});

test("a pod's state is a shape and a word", () => {
  const pod = Object.values(final.objects).find((view) => view.kind === "Pod" && view.namespace === "default") as PodView;
  const look = (part: Partial<PodView>, lost = false) => lookOf({ ...pod, ...part } as PodView, 10_000, lost);
  assert.deepEqual([look({}).glyph, look({}).word], ["check", "ready"]);
  assert.deepEqual([look({ ready: false }).glyph, look({ ready: false }).word], ["hollow", "not ready"]);
  const waiting = look({ ready: false, phase: "Pending", status: "Pending", node: null, containers: [] });
  assert.deepEqual([waiting.glyph, waiting.word, waiting.solid], ["clock", "waiting", false]);
  assert.deepEqual([look({ ready: false, status: "CrashLoopBackOff" }).glyph, look({ ready: false, status: "CrashLoopBackOff" }).word], ["cross", "crash loop"]);
  const ending = look({ deleting: 5000, graceUntil: 35_000, status: "Terminating" });
  assert.deepEqual([ending.glyph, ending.word], ["hourglass", "25 s left"]);
  assert.equal(look({}, true).glyph, "question");
});

test("a step that is another one than was known by its number is told", () => {
  const headings = new Headings();
  assert.equal(headings.put(frames.slice(0, 9)), null);
  assert.equal(headings.put(frames.slice(4, 9)), null);
  assert.equal(headings.put([{ ...frames[7]!, object: "pods/default/another" }, { ...frames[6]!, actor: "kubelet/node-9" }, frames[10]!]), 7);
});

test("work that asks the server is done one at a time, and once more for all that asked meanwhile", async () => {
  const ends: (() => void)[] = [];
  let now = 0, most = 0;
  const work = new OneAtATime(async () => {
    most = Math.max(most, ++now);
    await new Promise<void>((end) => ends.push(end));
    now--;
  });
  const settle = (): Promise<void> => new Promise((done) => setImmediate(done));
  for (let i = 0; i < 5; i++) work.ask();
  ends[0]!();
  await settle();
  assert.deepEqual([ends.length, most], [2, 1]);
  ends[1]!();
  await settle();
  work.ask();
  assert.deepEqual([ends.length, most], [3, 1]);
});

test("things are found by any part of their names, the closest first, and never more than can be read", () => {
  const view = (kind: string, name: string, namespace?: string) => ({ kind, name, namespace, uid: name, labels: {}, owner: null, created: 0, deleting: null });
  const objects = Object.fromEntries([view("Pod", "web-1", "default"), view("Deployment", "web", "default"), view("Pod", "coredns-web", "kube-system"), view("Node", "node-1"), view("Event", "web-1.18", "default")]
    .map((one) => [`${one.kind}/${one.name}`, one]));
  assert.deepEqual(finding(objects, ["etcd-0", "kube-scheduler"], "WEB").keys, ["Deployment/web", "Pod/web-1", "Pod/coredns-web"]);
  assert.deepEqual(finding(objects, ["etcd-0", "kube-scheduler"], "pod web").keys, ["Pod/web-1", "Pod/coredns-web"]);
  assert.deepEqual(finding(objects, ["etcd-0", "kube-scheduler"], "sched").keys, ["kube-scheduler"]);
  assert.deepEqual(finding(objects, [], "  "), { keys: [], count: 0 });
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`pods/default/p-${i}`, view("Pod", `p-${i}`, "default")]));
  const found = finding(many, [], "p-");
  assert.deepEqual([found.keys.length, found.count, found.keys[1]], [MOST_FOUND, 500, "pods/default/p-1"]);
});
