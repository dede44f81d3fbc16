// What is shown of a step, and when: a frame -> a clip of beats on a clock of its own, in milliseconds at pace 1. Pure.
// A beat says what happens, not how it looks; travel.ts draws it.
import type { Frame, Heading, Message, Span } from "../stream/types";
import { STAGES } from "./layoutControl";

export type Beat =
  /** A watch event that came from the API server has woken the actor. */
  | { kind: "wake"; at: number; ms: number; actor: string }
  /** The actor acts. */
  | { kind: "act"; at: number; ms: number; actor: string; object: string; routine: boolean }
  /** A request runs up the actor's wire. */
  | { kind: "ask"; at: number; ms: number; actor: string; span: Span; small: boolean; /** It stands for so many of its kind: one tells, the others only travel. */ of?: number }
  /** A stage of the API server lights. */
  | { kind: "stage"; at: number; ms: number; stage: number; ok: boolean; why: string }
  /** The write goes up to etcd, and comes back. */
  | { kind: "store"; at: number; ms: number; back: boolean; revision: number }
  /** A message between members of etcd. */
  | { kind: "raft"; at: number; ms: number; message: Message }
  /** The answer runs back down. */
  | { kind: "answer"; at: number; ms: number; actor: string; code: number; small: boolean }
  /** The API server calls a webhook: out to the pod that answers, and back. */
  | { kind: "call"; at: number; ms: number; pod: string; name: string; ok: boolean }
  /** Something goes on inside a node: kubelet to runtime to pod. */
  | { kind: "inside"; at: number; ms: number; from: string; to: string };

export interface Clip {
  frame: Frame;
  beats: Beat[];
  /** When the state changes. */
  commitAt: number;
  ms: number;
}

const WAKE = 280, ASK = 300, STAGE = 42, STORE = 130, RAFT = 150, CALL = 420, ANSWER = 220;
const LONGEST = 2600;
const WRITES = new Set(["create", "update", "patch", "delete", "deletecollection", "post", "put", "apply"]);

export const isWrite = (verb: string): boolean => WRITES.has(verb.toLowerCase().split(" ")[0]!);
const isNoise = (span: Span): boolean => /^(events|leases)(\/|\.|$)/.test(span.object) || !isWrite(span.verb);
/** The webhooks that were called in a stage: [kind, API server, pod, "name: what it said"]. */
export const isCall = (message: Message): boolean => message[0].endsWith("Webhook");
const CALLERS: Record<string, string> = { mutating: "MutatingWebhook", validating: "ValidatingWebhook" };
const isMessage = (message: Message): boolean => message.length === 4 && message[1] !== "" && message[2] !== "" && !isCall(message);

/** Pairs a burst of Raft messages into rounds: those that go out, then those that answer. */
function raftBeats(messages: Message[], at: number, beats: Beat[]): number {
  let when = at;
  let outward = true;
  for (const message of messages.filter(isMessage)) {
    const answers = /Resp$/.test(message[0]);
    if (answers === outward) {
      when += RAFT;
      outward = !answers;
    }
    beats.push({ kind: "raft", at: when, ms: RAFT, message });
  }
  return messages.length ? when + RAFT : at;
}

function requestBeats(actor: string, span: Span, at: number, small: boolean, beats: Beat[], of = 1): { commitAt: number; end: number } {
  beats.push({ kind: "ask", at, ms: ASK, actor, span, small, ...(of === 1 ? {} : { of }) });
  let when = at + ASK;
  if (small) {
    beats.push({ kind: "answer", at: when + 60, ms: ANSWER, actor, code: span.code, small });
    return { commitAt: when, end: when + 60 };
  }
  let stored = when;
  for (const stage of span.stages) {
    const number = STAGES.indexOf(stage.name);
    if (number < 0) continue;
    const ok = !/^(refused|denied|rejected|invalid|failed|conflict)/.test(stage.decision);
    const calls = span.messages.filter((message) => message[0] === CALLERS[stage.name]);
    for (const [, , pod, said] of calls) {
      beats.push({ kind: "call", at: when, ms: CALL, pod, name: said.split(": ")[0]!, ok: !/: (refused|no answer)/.test(said) });
      when += CALL;
    }
    if (calls.length) beats.push({ kind: "stage", at: when - CALL * calls.length, ms: CALL * calls.length, stage: number, ok: true, why: "" });
    const slow = stage.name === "storage" && ok && span.code < 400;
    if (slow) {
      beats.push({ kind: "store", at: when, ms: STORE, back: false, revision: span.revision });
      const done = raftBeats(span.messages, when + STORE, beats);
      beats.push({ kind: "stage", at: when, ms: done + STORE - when, stage: number, ok, why: stage.why });
      beats.push({ kind: "store", at: done, ms: STORE, back: true, revision: span.revision });
      stored = when = done + STORE;
    } else {
      beats.push({ kind: "stage", at: when, ms: STAGE * (ok ? 1 : 8), stage: number, ok, why: stage.why });
      when += ok ? STAGE : STAGE * 6;
    }
  }
  beats.push({ kind: "answer", at: when, ms: ANSWER, actor, code: span.code, small });
  return { commitAt: stored, end: when };
}

const insideOf = (actor: string): [string, string] | null => {
  const slash = actor.indexOf("/");
  if (slash < 0) return null;
  const [program, node] = [actor.slice(0, slash), actor.slice(slash + 1)];
  if (program === "runtime") return [`kubelet/${node}`, actor];
  return null;
};

/** More requests of one kind than this are told once, with their number; more than `MOST_SHOWN` are shown by some of them. */
const FEW = 4, MOST_SHOWN = 24;

const kindOf = (span: Span): string => `${span.verb} ${span.object.split("/")[0]}`;

/** The requests of a step that are shown: all, or of hundreds some that are spread over them, refused ones among them. */
function sample(requests: Span[], loud: Span[]): Span[] {
  if (loud.length <= MOST_SHOWN) return requests;
  const every = loud.length / MOST_SHOWN;
  const kept = new Set(loud.filter((span, i) => i === 0 || span.code >= 400 || Math.floor(i / every) !== Math.floor((i - 1) / every)).slice(0, 2 * MOST_SHOWN));
  return requests.filter((span) => kept.has(span));
}

/** The clip of a frame. `cause` is the heading that it is because of, where the page holds it. */
export function choreograph(frame: Frame, cause?: Heading): Clip {
  const beats: Beat[] = [];
  let at = 0;
  if (cause && !frame.routine && cause.actor !== frame.actor && !frame.actor.startsWith("etcd") && !insideOf(frame.actor)) {
    beats.push({ kind: "wake", at: 0, ms: WAKE, actor: frame.actor });
    at = WAKE * 0.8;
  }
  const inside = insideOf(frame.actor);
  if (inside && frame.object.startsWith("pods/")) {
    beats.push({ kind: "inside", at, ms: 260, from: inside[0], to: inside[1] }, { kind: "inside", at: at + 200, ms: 260, from: inside[1], to: frame.object });
    at += 300;
  }
  let commitAt = at + 60;
  let end = raftBeats(frame.messages, at + 60, beats);
  const isSmall = (span: Span): boolean => frame.routine || (isNoise(span) && span.code < 400);
  const loud = frame.requests.filter((span) => !isSmall(span));
  // Many requests of one step overlap, so that a step of thirty creations stays one glance.
  const stride = loud.length > 1 ? Math.max(40, 420 / Math.sqrt(loud.length)) : 0;
  let started = at + 90;
  const few = sample(frame.requests, loud);
  const counts = new Map<string, number>();
  for (const span of loud) counts.set(kindOf(span), (counts.get(kindOf(span)) ?? 0) + 1);
  const told = new Set<string>();
  for (const span of few) {
    const kind = kindOf(span), alike = counts.get(kind) ?? 1;
    const of = isSmall(span) || alike <= FEW || span.code >= 400 ? 1 : told.has(kind) ? 0 : alike;
    told.add(kind);
    const made = requestBeats(actorOf(frame), span, started, isSmall(span), beats, of);
    if (!isSmall(span) || !loud.length) commitAt = Math.max(commitAt, made.commitAt);
    end = Math.max(end, made.end);
    started += isSmall(span) ? 50 : stride;
  }
  const ms = Math.max(frame.routine ? 90 : 320, end + 160);
  beats.unshift({ kind: "act", at: Math.min(at, WAKE * 0.8), ms: ms - Math.min(at, WAKE * 0.8), actor: frame.actor, object: frame.object, routine: frame.routine });
  const squeeze = Math.min(1, LONGEST / ms);
  for (const beat of beats) [beat.at, beat.ms] = [beat.at * squeeze, beat.ms * squeeze];
  return { frame, beats, commitAt: commitAt * squeeze, ms: ms * squeeze };
}

/** Where a beat is looked at: while it is well under way. */
export const haltOf = (beat: Beat): number => beat.at + beat.ms * (beat.kind === "stage" ? 0.5 : 0.62);

/** The moments of a clip at which somebody who steps into it stands still: each request, each of its stages, each answer. */
export function milestones(clip: Clip): number[] {
  const told = clip.beats.filter((beat) => (beat.kind === "ask" && !beat.small) || (beat.kind === "answer" && !beat.small) || beat.kind === "stage" || beat.kind === "raft" || beat.kind === "call" || beat.kind === "inside");
  return [...new Set(told.map(haltOf))].sort((a, b) => a - b);
}

const actorOf = (frame: Frame): string => (frame.actor === "kube-apiserver" ? "kubectl" : frame.actor);

/** A read that changed nothing: a small request, up and back. */
export function choreographRead(actor: string, span: Span): Beat[] {
  return [
    { kind: "ask", at: 0, ms: ASK, actor, span, small: true },
    { kind: "answer", at: ASK + 60, ms: ANSWER, actor, code: span.code, small: true },
  ];
}
