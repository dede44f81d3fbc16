// One lab as the page holds it: the stream, what is shown of it, what is selected. Elements subscribe to topics.
import { LabStream, labStream, type ConnectionState } from "../stream/socket";
import { Player } from "../stream/player";
import type { Frame, Heading, KubectlMessage, Lab as LabInfo, ModeState, ReadMessage, ServerMessage } from "../stream/types";
import { opened } from "../stream/tables";
import type { Lens } from "../stage/layout";
import { t } from "../i18n/t";
import { fetchSteps, type AccessAnswer } from "./api";
import { Ask } from "./ask";
import { Debugger } from "./debugger";
import { Headings } from "./headings";
import { recall, remember } from "./remember";

export type Topic = "mode" | "step" | "state" | "selection" | "connection" | "kubectl" | "headings" | "lens" | "notice" | "read" | "theme" | "debug" | "ask" | "access" | "compare";
type Listener = (topic: Topic) => void;

export interface LabOptions {
  id: string;
  canEdit: boolean;
}

export interface Pace {
  name: string;
  paceMs: number;
  speed: number;
  show: number;
}

/** How fast a lab plays: wall time a step takes, simulated time to wall time, and how fast a step is shown. */
export const PACES: Pace[] = [
  { name: "Slow", paceMs: 1800, speed: 1, show: 0.75 },
  { name: "Normal", paceMs: 700, speed: 1, show: 1.15 },
  { name: "Fast", paceMs: 200, speed: 5, show: 1.6 },
  { name: "Real time", paceMs: 0, speed: 1, show: 1.6 },
  { name: "Time lapse", paceMs: 0, speed: 30, show: 1.6 },
];

const STOPPED: ModeState = { mode: "paused", speed: 1, seq: 0, time: 0, last: 0, settled: false, hold: false };
const REPLACED_NOTE_MS = 4000;
/** Commands after which it is the lab that says whether it plays. */
const DRIVES = new Set(["play", "pause", "run", "seek", "back", "reset"]);
/** A lab that has not answered for so long is what it says it is. */
const ANSWER_MS = 1500;

export class Lab {
  readonly headings = new Headings();
  readonly player: Player;
  readonly debugger: Debugger;
  readonly ask = new Ask(this);
  readonly stream: LabStream;
  info: LabInfo | null = null;
  mode: ModeState = STOPPED;
  connection: ConnectionState = "connecting";
  selected = "";
  /** The id of the lab that stands beside this one; "" for none. */
  comparing = "";
  /** The link that was made last. */
  replayUrl = "";
  /** The answer to who may do what. */
  access: AccessAnswer | null = null;
  lens: Lens = "workloads";
  notice = "";
  /** Headings of the frames that were shown, oldest first. */
  readonly log: Heading[] = [];
  readonly kubectlAnswers: KubectlMessage[] = [];
  lastRead: ReadMessage | null = null;
  pace: Pace;
  /** The frames last shown, for looking into a step. */
  private readonly frames = new Map<number, Frame>();
  private readonly listeners = new Map<Topic, Set<Listener>>();
  private noticeTimer = 0;
  private filling = false;
  /** The last command was a single step. */
  closely = false;
  /** Play or pause that the lab has not answered yet. */
  private asked: "playing" | "paused" | "" = "";
  private askedAt = 0;
  private askedTimer = 0;

  constructor(readonly options: LabOptions) {
    this.pace = PACES.find((pace) => pace.name === recall("pace")) ?? PACES[1]!;
    this.player = new Player(
      {
        begin: (frame) => this.began(frame),
        commit: (frame) => {
          this.debugger.committed(frame);
          this.tell("state");
        },
        replaced: () => {
          this.debugger?.lookAtAll();
          this.ask.forget();
          this.tell("state");
        },
      },
      (seq) => this.headings.get(seq),
    );
    this.player.pace = this.pace.show;
    this.debugger = new Debugger(this);
    this.stream = labStream(options.id, { message: (message) => this.receive(message), connection: (state) => this.connected(state), lost: () => this.say(t("Not connected.")) });
  }

  on(topics: Topic[], listener: Listener): () => void {
    for (const topic of topics) {
      if (!this.listeners.has(topic)) this.listeners.set(topic, new Set());
      this.listeners.get(topic)!.add(listener);
    }
    return () => {
      for (const topic of topics) this.listeners.get(topic)?.delete(listener);
    };
  }

  tell(topic: Topic): void {
    for (const listener of this.listeners.get(topic) ?? []) listener(topic);
  }

  // What is shown.

  /** The step that is on the stage. */
  get shownSeq(): number {
    return this.player.frame?.seq ?? this.player.state.seq;
  }

  /** The step that is told about: the one on the stage, or the last before it that matters; in a settled cluster whoever steps sees routine too. */
  get shown(): Heading | undefined {
    const frame = this.player.frame;
    if (frame && (!frame.routine || this.closely)) return frame;
    const last = this.closely && this.mode.settled ? this.headings.get(this.shownSeq) : undefined;
    if (last) return last;
    return this.headings.newest(this.shownSeq, 1, (step) => !step.routine)[0] ?? frame ?? this.headings.get(this.shownSeq);
  }

  /** What the lab last said. */
  get playing(): boolean {
    return this.mode.mode === "playing";
  }

  /** Whether it plays, or will as soon as it has heard what was asked of it: what the next press of a key has to go by. */
  get willPlay(): boolean {
    return (this.asked || this.mode.mode) === "playing";
  }

  frameOf(seq: number): Frame | undefined {
    return this.frames.get(seq);
  }

  select(id: string): void {
    if (this.player.gated && id.startsWith("nodes/")) return this.ask.guess(id.slice("nodes/".length));
    if (this.selected === id) return;
    this.selected = id;
    this.tell("selection");
  }

  look(lens: Lens): void {
    if (this.lens === lens) return;
    this.lens = lens;
    this.tell("lens");
  }

  answered(access: AccessAnswer | null): void {
    this.access = access;
    this.tell("access");
  }

  compare(id: string): void {
    this.comparing = id;
    this.tell("compare");
    this.tell("debug");
  }

  say(notice: string): void {
    this.notice = notice;
    this.tell("notice");
    clearTimeout(this.noticeTimer);
    this.noticeTimer = window.setTimeout(() => {
      this.notice = "";
      this.tell("notice");
    }, REPLACED_NOTE_MS + notice.length * 40);
  }

  // Commands.

  send(command: { type: string } & Record<string, unknown>): boolean {
    const sent = this.stream.send(command);
    if (!sent) this.say(t("Not connected."));
    if (!DRIVES.has(command.type)) return sent;
    this.closely = command.type === "run" && command["until"] === "step";
    const asked = command.type === "play" ? "playing" : command.type === "pause" ? "paused" : "";
    this.asked = sent && (this.asked || asked !== this.mode.mode) ? asked : "";
    this.askedAt = this.mode.seq;
    clearTimeout(this.askedTimer);
    if (this.asked) this.askedTimer = window.setTimeout(() => this.heard(), ANSWER_MS);
    this.tell("mode");
    return sent;
  }

  /** The lab has answered, or does not. */
  private heard(): void {
    if (!this.asked) return;
    this.asked = "";
    clearTimeout(this.askedTimer);
    this.tell("mode");
  }

  /** One step; out of the step that was stepped into. */
  step(): void {
    this.player.out();
    this.player.hurry();
    this.send({ type: "run", until: "step" });
  }

  /** Into a step: on to the next stage of its requests, or into the next step. */
  into(): void {
    if (this.willPlay) this.send({ type: "pause" });
    if (!this.player.into()) this.send({ type: "run", until: "step" });
    this.tell("state");
  }

  /** Lets the step that was stepped into end. */
  out(): void {
    this.player.out();
    this.tell("state");
  }

  back(): void {
    this.send({ type: "back" });
  }

  settle(): void {
    this.player.out();
    this.send({ type: "run", until: "settled" });
  }

  toggle(): void {
    if (this.debugger.running) return this.debugger.stop();
    this.player.out();
    if (this.willPlay) this.send({ type: "pause" });
    else this.play();
  }

  play(): void {
    this.send({ type: "play", speed: this.pace.speed, pace: this.pace.paceMs });
  }

  setPace(pace: Pace): void {
    this.pace = pace;
    this.player.pace = pace.show;
    remember("pace", pace.name);
    if (this.willPlay) this.play();
    this.tell("mode");
  }

  seek(seq: number): void {
    const to = Math.max(0, Math.min(seq, this.headings.last));
    if (to !== this.player.state.seq || !this.player.idle) this.send({ type: "seek", seq: to });
  }

  /** Requests from outside wait for the next step. */
  hold(on: boolean): void {
    this.send({ type: "hold", hold: on });
  }

  kubectl(line: string): void {
    this.send({ type: "kubectl", line });
  }

  // What comes in.

  private connected(state: ConnectionState): void {
    this.connection = state;
    if (state !== "open") this.heard();
    this.tell("connection");
  }

  private receive(message: ServerMessage): void {
    switch (message.type) {
      case "hello":
        this.info = message.lab;
        this.setMode(message.mode);
        this.recent(message.recent);
        if (message.snapshot) this.player.replace(opened(message.snapshot));
        this.tell("headings");
        this.tell("step");
        void this.recallFrame();
        return void this.fill();
      case "snapshot":
        this.setMode(message.mode);
        this.recent(message.recent);
        this.player.replace(opened(message.snapshot));
        this.tell("headings");
        this.tell("step");
        return void this.recallFrame();
      case "steps":
        return this.took(message.frames, message.replay ?? false);
      case "mode":
        return this.setMode(message);
      case "kubectl":
        this.kubectlAnswers.push(message);
        return this.tell("kubectl");
      case "read":
        this.lastRead = message;
        return this.tell("read");
      case "error":
        this.heard();
        return this.say(message.message);
    }
  }

  /** What was told of the newest steps. Where a step is another one than this page knew, the lab went back and on another way while
   * nothing was told: what is known of that stretch, and of what lies before it unseen, is forgotten and asked for anew. */
  private recent(headings: Heading[]): void {
    const other = this.headings.put(headings), first = headings[0]?.seq;
    if (other === null || first === undefined) return;
    for (const seq of [...this.frames.keys()]) if (seq >= other || other === first) this.frames.delete(seq);
    if (other !== first) return;
    const { last } = this.headings;
    this.headings.clear();
    this.headings.put(headings);
    this.headings.last = last;
    void this.fill();
  }

  private took(frames: Frame[], replay: boolean): void {
    for (const frame of frames) this.frames.set(frame.seq, frame);
    while (this.frames.size > 3000) this.frames.delete(this.frames.keys().next().value as number);
    this.headings.put(frames);
    if (!replay) {
      this.player.push(frames);
      if (document.hidden) this.player.flush();
    }
    this.tell("headings");
    this.tell(replay ? "selection" : "state");
  }

  private setMode(mode: ModeState): void {
    this.mode = mode;
    // A lab that stands still but further on has played, and has met something.
    if (mode.mode === this.asked || (this.asked === "playing" && mode.seq > this.askedAt)) this.asked = "";
    this.debugger.heard(mode);
    if (mode.last < this.headings.last) {
      this.headings.end(mode.last);
      this.debugger.ended(mode.last);
    }
    else this.headings.last = mode.last;
    this.tell("mode");
  }

  private began(frame: Frame): void {
    this.log.push(frame);
    if (this.log.length > 800) this.log.splice(0, 300);
    this.tell("step");
  }

  /** Fetches the frame of the step on the stage, where the page has not seen it happen. */
  private async recallFrame(): Promise<void> {
    const seq = this.shown?.seq;
    if (!seq || this.frames.has(seq)) return;
    const { generation } = this.stream;
    const answer = await fetchSteps(this.options.id, seq, 1).catch(() => null);
    const frame = answer?.steps[0];
    if (frame?.seq !== seq || generation !== this.stream.generation) return;
    this.frames.set(seq, frame);
    this.tell("step");
  }

  /** Fetches headings of older steps bit by bit, so that the whole timeline has colour. */
  private async fill(): Promise<void> {
    if (this.filling) return;
    this.filling = true;
    try {
      for (let round = 0; round < 24; round++) {
        const gap = this.headings.missingBefore(this.headings.last);
        if (!gap) break;
        const answer = await fetch(`/api/labs/${encodeURIComponent(this.options.id)}/steps?part=headings&from=${gap.from}&limit=${gap.to - gap.from + 1}`);
        if (!answer.ok) break;
        const { steps } = (await answer.json()) as { steps: Heading[] };
        if (!steps?.length) break;
        this.headings.put(steps.filter((step) => !this.headings.get(step.seq) && step.seq <= this.headings.last));
        this.tell("headings");
        if (this.headings.missingBefore(this.headings.last)?.to === gap.to) break;
      }
    } catch {
      // Ticks without colour are no reason to trouble the reader.
    } finally {
      this.filling = false;
    }
  }
}
