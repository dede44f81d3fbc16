// The display queue: every frame once, in order, never far behind; choreography says when its changes show.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Player } from "../../static/src/stream/player";
import { choreograph } from "../../static/src/stage/choreography";
import { STAGES } from "../../static/src/stage/layoutControl";
import { recording } from "./support";

const { snapshot, frames, final } = recording();

function playerFor() {
  const seen: number[] = [], committed: number[] = [];
  const player = new Player({ begin: (frame) => void seen.push(frame.seq), commit: (frame) => void committed.push(frame.seq), replaced: () => undefined });
  player.replace(snapshot);
  return { player, seen, committed };
}

test("every frame is shown once, in order, and the state ends where the law says", () => {
  const { player, seen, committed } = playerFor();
  player.push(frames);
  for (let i = 0; i < 4000 && !player.idle; i++) player.advance(16);
  const all = frames.map((frame) => frame.seq);
  assert.deepEqual(seen, all);
  assert.deepEqual(committed, all);
  assert.deepEqual(player.state, final);
});

test("one step runs at its own pace; its changes show before it ends", () => {
  const { player, committed } = playerFor();
  player.push([frames[2]!]);
  player.advance(1);
  assert.equal(player.rate, 1);
  const { ms, commitAt } = choreograph(frames[2]!);
  assert.ok(commitAt > 300 && commitAt < ms && ms < 2700, `${commitAt} of ${ms}`);
  player.advance(commitAt - 20);
  assert.deepEqual(committed, []);
  player.advance(40);
  assert.deepEqual(committed, [3]);
  assert.equal(player.idle, false);
});

test("however many frames wait, what is shown is at most two seconds behind", () => {
  for (const copies of [1, 5, 40]) {
    const { player } = playerFor();
    for (let i = 0; i < copies; i++) player.push(frames);
    let ms = 0;
    for (; !player.idle && ms < 60_000; ms += 16) player.advance(16);
    // The rate falls as the queue drains, so the last of it is shown at its own pace again.
    assert.ok(ms < 2000 + Math.log(copies * frames.length) * 1000 + 3000, `${copies} copies took ${ms} ms`);
  }
});

test("under steady load the lag stays near one second", () => {
  const { player } = playerFor();
  let fed = 0, worst = 0;
  for (let ms = 0; ms < 8000; ms += 16) {
    if (ms % 48 === 0) player.push([{ ...frames[fed % frames.length]!, seq: ++fed }]);
    player.advance(16);
    worst = Math.max(worst, (fed - player.state.seq) * 48);
  }
  assert.ok(worst <= 2000, `${worst} ms behind`);
});

test("with reduced motion states change at once and nothing is under way", () => {
  const { player } = playerFor();
  player.still = true;
  player.push(frames);
  player.advance(16);
  assert.deepEqual(player.state, final);
  assert.deepEqual(player.live(), []);
});

test("a snapshot throws away what waits", () => {
  const { player } = playerFor();
  player.push(frames);
  player.advance(100);
  player.replace(final);
  assert.equal(player.idle, true);
  assert.equal(player.state.seq, final.seq);
});

test("a request runs up its wire, through the stages in order, to etcd and back", () => {
  const clip = choreograph(frames[2]!);
  const order = (kind: string) => clip.beats.filter((beat) => beat.kind === kind).map((beat) => beat.at);
  const stages = clip.beats.filter((beat) => beat.kind === "stage").map((beat) => STAGES[beat.stage]);
  assert.deepEqual(stages, STAGES);
  const [up, back] = order("store");
  assert.ok(order("ask")[0]! < up! && up! < order("raft")[0]! && order("raft").at(-1)! < back! && back! < order("answer")[0]!);
  assert.ok(clip.commitAt >= back!);
});

test("a refused request goes no further than the stage that refused it", () => {
  const frame = structuredClone(frames[2]!);
  const span = frame.requests[0]!;
  Object.assign(span, { code: 403, stages: [{ name: "authentication", decision: "allowed", why: "" }, { name: "authorization", decision: "refused", why: "no rule" }], messages: [] });
  const { beats } = choreograph(frame);
  assert.equal(beats.some((beat) => beat.kind === "store"), false);
  assert.ok(beats.some((beat) => beat.kind === "stage" && !beat.ok && beat.why === "no rule"));
});

test("hundreds of requests of one step are shown by some of them, and told once with their number", () => {
  const frame = structuredClone(frames.find((one) => !one.routine && one.requests.some((span) => span.stages.length > 5))!);
  const span = frame.requests.find((one) => one.stages.length > 5)!;
  frame.requests = Array.from({ length: 300 }, (_, i) => ({ ...structuredClone(span), verb: "create", object: `pods/default/p-${i}` }));
  const { beats, ms } = choreograph(frame);
  const asks = beats.filter((beat) => beat.kind === "ask");
  assert.ok(asks.length >= 20 && asks.length <= 48);
  assert.deepEqual(asks.map((beat) => (beat.kind === "ask" ? (beat.of ?? 1) : 1)).filter((of) => of), [300]);
  assert.ok(ms <= 2600);
});

test("stepping into a step stands still at each stage of its requests, then lets the next one pass", () => {
  for (const still of [false, true]) {
    const { player, committed } = playerFor();
    player.still = still;
    const frame = frames.find((one) => !one.routine && one.requests.some((span) => span.stages.length > 5))!;
    player.replace({ ...snapshot, seq: frame.seq - 1 });
    player.into();
    player.push([frame]);
    const seen: string[] = [];
    for (let i = 0; i < 200; i++) {
      for (let ms = 0; ms < 6000 && !player.halted && !player.idle; ms += 16) player.advance(16);
      const beat = player.halted;
      if (!beat) break;
      seen.push(beat.kind === "stage" ? STAGES[beat.stage]! : beat.kind);
      const before = player.live().length;
      player.advance(500);
      assert.equal(player.live().length, before, "it stands still");
      player.into();
    }
    assert.ok(player.idle);
    assert.deepEqual(committed, [frame.seq]);
    const order = ["ask", "authentication", "authorization", "storage", "answer"].map((name) => seen.indexOf(name));
    assert.ok(order.every((at, i) => at >= 0 && (i === 0 || at > order[i - 1]!)), seen.join(" "));
    player.push([{ ...frame, seq: frame.seq + 1 }]);
    for (let ms = 0; ms < 6000 && !player.idle; ms += 16) player.advance(16);
    assert.ok(player.idle, "the next step is shown as always");
  }
});
