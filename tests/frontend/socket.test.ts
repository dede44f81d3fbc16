// The connection: who comes back goes on where they were, without missing or repeating a step.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LabStream, type SocketLike } from "../../static/src/stream/socket";
import type { Frame, ServerMessage } from "../../static/src/stream/types";
import { recording } from "./support";

const { snapshot, frames } = recording();

class FakeSocket implements SocketLike {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  readyState = 1;
  sent: Record<string, unknown>[] = [];
  closed = false;
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {
    this.closed = true;
  }
  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

function connect() {
  const sockets: FakeSocket[] = [], waits: number[] = [], tasks: (() => void)[] = [], got: Frame[] = [], states: string[] = [], lost: number[] = [];
  const stream = new LabStream(
    { open: () => (sockets.push(new FakeSocket()), sockets.at(-1)!), later: (ms, task) => void (waits.push(ms), tasks.push(task)) },
    { message: (message: ServerMessage) => void (message.type === "steps" && !message.replay && got.push(...message.frames)), connection: (state) => void states.push(state), lost: () => void lost.push(sockets.length) },
  );
  stream.start();
  sockets[0]!.onopen!();
  const hello = (extra: object) => ({ type: "hello", version: 1, lab: { id: "a", generation: 4 }, mode: {}, recent: [], ...extra });
  return { stream, sockets, waits, tasks, got, states, hello, lost };
}

test("the first hello names no step; a later one names the last step held and its timeline", () => {
  const { sockets, tasks, got, hello } = connect();
  assert.deepEqual(sockets[0]!.sent, [{ type: "hello", packed: true }]);
  sockets[0]!.say(hello({ snapshot, resumed: false }));
  sockets[0]!.say({ type: "steps", frames: frames.slice(0, 5) });
  sockets[0]!.onclose!({ code: 1006 });
  tasks[0]!();
  sockets[1]!.onopen!();
  assert.deepEqual(sockets[1]!.sent, [{ type: "hello", packed: true, from: 5, lab: "a", generation: 4 }]);
  sockets[1]!.say(hello({ resumed: true }));
  sockets[1]!.say({ type: "steps", frames: frames.slice(3, 9) });
  assert.deepEqual(got.map((frame) => frame.seq), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a gap is not shown: the stream asks again from the last step held", () => {
  const { sockets, got, hello } = connect();
  sockets[0]!.say(hello({ snapshot, resumed: false }));
  sockets[0]!.say({ type: "steps", frames: frames.slice(0, 2) });
  sockets[0]!.say({ type: "steps", frames: frames.slice(4, 6) });
  assert.deepEqual(got.map((frame) => frame.seq), [1, 2]);
  assert.equal(sockets[0]!.closed, true);
  sockets[1]!.onopen!();
  assert.equal(sockets[1]!.sent[0]!["from"], 2);
});

test("after a seek frames count from the snapshot, on the new timeline", () => {
  const { sockets, tasks, got, hello } = connect();
  sockets[0]!.say(hello({ snapshot, resumed: false }));
  sockets[0]!.say({ type: "steps", frames: frames.slice(0, 8) });
  sockets[0]!.say({ type: "snapshot", snapshot: { ...snapshot, seq: 3 }, mode: {}, recent: [], generation: 5 });
  sockets[0]!.say({ type: "steps", frames: frames.slice(3, 5) });
  assert.deepEqual(got.map((frame) => frame.seq), [1, 2, 3, 4, 5, 6, 7, 8, 4, 5]);
  sockets[0]!.onclose!({ code: 1006 });
  tasks[0]!();
  sockets[1]!.onopen!();
  assert.deepEqual(sockets[1]!.sent[0], { type: "hello", packed: true, from: 5, lab: "a", generation: 5 });
});

test("waits grow up to a limit and shrink again after a message; a final close ends it", () => {
  const { sockets, waits, tasks, states, hello } = connect();
  for (let i = 0; i < 9; i++) {
    sockets.at(-1)!.onclose!({ code: 1006 });
    tasks.at(-1)!();
  }
  assert.deepEqual(waits.slice(0, 3), [250, 500, 1000]);
  assert.equal(Math.max(...waits), 8000);
  sockets.at(-1)!.onopen!();
  sockets.at(-1)!.say(hello({ snapshot }));
  sockets.at(-1)!.onclose!({ code: 1006 });
  assert.equal(waits.at(-1), 250);
  tasks.at(-1)!();
  sockets.at(-1)!.onclose!({ code: 4404 });
  assert.equal(states.at(-1), "closed");
});

test("old steps for looking at do not move the place where the stream is", () => {
  const { stream, sockets, got, hello } = connect();
  sockets[0]!.say(hello({ snapshot, resumed: false }));
  sockets[0]!.say({ type: "steps", frames: frames.slice(0, 5) });
  sockets[0]!.say({ type: "steps", frames: frames.slice(0, 3), replay: true });
  assert.equal(stream.held, 5);
  assert.equal(got.length, 5);
});

test("what is asked for while a connection is being made is sent after the hello; with a lost one it is given up, and said so", () => {
  const { stream, sockets, tasks, lost } = connect();
  sockets[0]!.onclose!({ code: 1006 });
  assert.equal(stream.send({ type: "play" }), false);
  tasks[0]!();
  assert.equal(stream.send({ type: "play" }), true);
  sockets[1]!.onclose!({ code: 1006 });
  assert.deepEqual([sockets[1]!.sent, lost], [[], [2]]);
  tasks[1]!();
  for (let i = 0; i < 25; i++) assert.equal(stream.send({ type: "run", until: "step" }), i < 20);
  sockets[2]!.onopen!();
  assert.deepEqual([sockets[2]!.sent.length, sockets[2]!.sent[0]!["type"], sockets[2]!.sent[20]!["type"]], [21, "hello", "run"]);
  assert.deepEqual(lost, [2]);
});

test("a socket that is about to close takes no command: it would swallow it", () => {
  const { stream, sockets } = connect();
  sockets[0]!.readyState = 2;
  assert.equal(stream.send({ type: "pause" }), false);
  assert.deepEqual(sockets[0]!.sent.map((each) => each["type"]), ["hello"]);
});
