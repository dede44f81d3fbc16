// The page and its server out of step: what is pressed before an answer has come, answers in another order than the questions.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Lab } from "../../static/src/lab/lab";
import type { ServerMessage } from "../../static/src/stream/types";
import { recording } from "./support";

const { snapshot, frames } = recording();

class Socket {
  static all: Socket[] = [];
  readyState = 1;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  sent: Record<string, unknown>[] = [];
  constructor() {
    Socket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {}
}

/** Answers to what the page has asked over HTTP: each test gives them when it likes. */
const asked: { path: string; body: unknown; answer(value: unknown): void; fail(): void }[] = [];
const kept = new Map<string, string>(), heard = new Map<string, () => void>();
Object.assign(globalThis, {
  WebSocket: Socket,
  location: { protocol: "http:", host: "here" },
  localStorage: { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => void kept.set(name, value), removeItem: (name: string) => void kept.delete(name) },
  document: { body: { dataset: { labId: "a", canEdit: "true" } }, querySelector: () => null, hidden: false, documentElement: { lang: "en" } },
  window: { setTimeout, addEventListener: (name: string, listener: () => void) => void heard.set(name, listener) },
  fetch: (path: string, options?: { body?: string }) => new Promise((answer, refuse) => {
    asked.push({ path, body: options?.body === undefined ? undefined : JSON.parse(options.body), answer: (value) => answer({ ok: true, json: async () => value }), fail: () => refuse(new Error("no network")) });
  }),
});
const settle = (): Promise<void> => new Promise((done) => setImmediate(done));
const mode = (more: object = {}): object => ({ mode: "paused", speed: 1, seq: 0, time: 0, last: 0, settled: false, hold: false, ...more });

async function opened(): Promise<{ lab: Lab; socket: Socket; say(message: object): void; sent(): unknown[] }> {
  const { Lab } = await import("../../static/src/lab/lab");
  const lab = new Lab({ id: "a", canEdit: true });
  lab.stream.start();
  const socket = Socket.all.at(-1)!;
  socket.onopen!();
  const say = (message: object): void => socket.onmessage!({ data: JSON.stringify(message satisfies object as ServerMessage) });
  say({ type: "hello", version: 1, lab: { id: "a", generation: 1 }, mode: mode(), recent: [], resumed: false, snapshot });
  return { lab, socket, say, sent: () => socket.sent.slice(1).map((each) => each["type"]) };
}

test("a second press before the lab has answered takes the first one back", async () => {
  const { lab, say, sent } = await opened();
  lab.toggle();
  say({ type: "mode", ...mode({ time: 5 }) }); // on its way before the lab heard
  lab.toggle();
  assert.deepEqual(sent(), ["play", "pause"]);
  say({ type: "mode", ...mode({ mode: "playing" }) });
  assert.equal(lab.willPlay, false);
  say({ type: "mode", ...mode({ seq: 2, last: 2 }) });
  lab.toggle();
  say({ type: "mode", ...mode({ mode: "playing", seq: 2, last: 2 }) });
  assert.equal(lab.willPlay, true);
});

test("a lab that has met something on its way is not taken to play", async () => {
  const { lab, say } = await opened();
  lab.toggle();
  assert.equal(lab.willPlay, true);
  say({ type: "mode", ...mode({ seq: 7, last: 7, stopped: { seq: 7, condition: "kind = Pod" } }) });
  assert.equal(lab.willPlay, false);
  lab.toggle();
  say({ type: "error", code: "TooManySteps", message: "this lab has gone as many steps as it may" });
  assert.equal(lab.willPlay, false);
  lab.toggle();
  lab.step();
  assert.equal(lab.willPlay, false);
});

test("steps of a way that the lab has left are forgotten, though nobody told when it left it", async () => {
  const { lab, say } = await opened();
  say({ type: "steps", frames: frames.slice(0, 20) });
  say({ type: "mode", ...mode({ seq: 20, last: 20 }) });
  const others = frames.slice(0, 24).map((frame) => ({ ...frame, object: `${frame.object}-other` }));
  say({ type: "snapshot", generation: 2, snapshot: { ...snapshot, seq: 24 }, mode: mode({ seq: 24, last: 24 }), recent: others.slice(9) });
  assert.equal(lab.headings.get(20)!.object, others[19]!.object);
  assert.equal(lab.headings.get(5), undefined);
  assert.equal(lab.frameOf(15), undefined);
  assert.equal(lab.headings.last, 24);
});

test("what the class was asked before the timeline jumped is not answered afterwards", async () => {
  const { lab, say } = await opened();
  const bound = frames.find((frame) => frame.actor === "kube-scheduler" && Object.values(frame.objects).some((view) => (view as { node?: string } | null)?.node))!;
  lab.ask.toggle(true);
  asked.length = 0;
  say({ type: "steps", frames: frames.slice(0, bound.seq) });
  lab.player.flush();
  const first = asked.find((one) => one.path.includes("/decisions"))!;
  assert.ok(lab.ask.pod);
  say({ type: "snapshot", generation: 2, snapshot, mode: mode({ last: bound.seq }), recent: [] });
  assert.equal(lab.ask.pod, "");
  first.answer({ chosen: "node-1", message: "", filtered: {}, scores: {}, final: {} });
  await settle();
  assert.equal(lab.ask.decision, null);
});

test("an older note never overtakes a newer one; a page that is left sends what there is", async () => {
  const { keepNote } = await import("../../static/src/lab/notes");
  const sent = (): unknown[] => asked.filter((one) => one.path.endsWith("/notes")).map((one) => one.body);
  const soon = (): Promise<void> => new Promise((done) => setTimeout(done, 520));
  asked.length = 0;
  keepNote("at", "1");
  await soon();
  keepNote("at", "2");
  keepNote("clock", "9");
  await soon();
  assert.deepEqual(sent(), [{ at: "1" }]);
  asked.at(-1)!.answer({});
  await soon();
  assert.deepEqual(sent(), [{ at: "1" }, { at: "2", clock: "9" }]);
  assert.match(kept.get("clusterlab.unsent.a")!, /"at":"2"/); // until the server is known to have it
  keepNote("at", "3");
  heard.get("pagehide")!();
  assert.deepEqual(sent()[2], { at: "3", clock: "9" });
  asked.at(-2)!.fail(); // the one before: its notes went along with the last
  asked.at(-1)!.answer({});
  await settle();
  assert.equal(kept.get("clusterlab.unsent.a"), undefined);
});
