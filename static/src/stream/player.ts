// The display queue: frames are shown one after the other. When many wait, time runs faster, so that what is seen is never more
// than about a second behind what has happened. Knows no clock of its own: `advance` is told how much time went by.
import { choreograph, haltOf, milestones, type Beat, type Clip } from "../stage/choreography";
import { applyFrame, copyState, EMPTY, type State } from "./reducer";
import type { Frame, Heading, Snapshot } from "./types";

export interface PlayerEvents {
  /** A frame begins to be shown. */
  begin(frame: Frame): void;
  /** A frame's changes are now part of the state. */
  commit(frame: Frame): void;
  /** The state was replaced. */
  replaced(): void;
}

/** A beat under way: how far it is, from 0 to 1. */
export interface LiveBeat {
  beat: Beat;
  part: number;
}

/** At a rate that would drain what waits within this time, the lag stays below it. */
const DRAIN_MS = 1000;
/** Faster than this nothing can be seen to travel: only states change. */
export const BLUR_RATE = 9;

export class Player {
  state: State = copyState(EMPTY);
  /** Set for people who prefer reduced motion. */
  still = false;
  /** How fast clips run when nothing waits. */
  pace = 1;
  /** Told of each frame as it becomes part of the state, before anyone else. */
  onCommit: (frame: Frame) => void = () => undefined;
  /** Asked before a frame is shown: true holds it back until `release`. */
  gate: (frame: Frame) => boolean = () => false;
  /** The frame that is held back. */
  gated: Frame | null = null;
  private passed = 0;
  /** The state was replaced and whoever draws it has not yet noticed. */
  replacedSince = true;
  private readonly queue: Clip[] = [];
  private current: Clip | null = null;
  private committed = true;
  private clock = 0;
  private backlogMs = 0;
  private hurried = false;
  /** Step into: the next clip that has anything inside it stands still at each of its milestones. */
  private inside = false;
  private stops: number[] = [];

  constructor(private readonly events: PlayerEvents, private readonly headingOf: (seq: number) => Heading | undefined = () => undefined) {}

  /** The frame being shown. */
  get frame(): Frame | null {
    return this.current?.frame ?? null;
  }

  get idle(): boolean {
    return this.current === null && this.queue.length === 0;
  }

  get waiting(): number {
    return this.queue.length;
  }

  /** How many times faster than at its own pace the clip runs. */
  get rate(): number {
    const catchUp = Math.max(1, this.backlogMs / DRAIN_MS / this.pace);
    return this.pace * (this.hurried ? Math.max(catchUp, 6) : catchUp);
  }

  /** Inside a step, and standing still there: the beat that is looked at. */
  get halted(): Beat | null {
    if (!this.inside || !this.current || this.stops[0] !== this.clock) return null;
    return this.current.beats.findLast((beat) => haltOf(beat) === this.clock && beat.kind !== "act") ?? null;
  }

  /** Goes on to the next milestone inside the step; false when there is none: a step has to be taken first. */
  into(): boolean {
    const standing = this.halted !== null;
    this.inside = true;
    this.hurried = false;
    if (!standing) {
      if (this.current && !this.current.frame.routine) this.stops = milestones(this.current).filter((stop) => stop > this.clock);
      return !this.idle;
    }
    this.stops.shift();
    if (!this.stops.length) this.out();
    return true;
  }

  /** Lets the frame that is held back be shown. */
  release(): void {
    this.passed = this.gated?.seq ?? 0;
    this.gated = null;
  }

  /** Lets the rest of the step be shown without standing still. */
  out(): void {
    this.inside = false;
    this.stops = [];
  }

  replace(snapshot: Snapshot): void {
    this.queue.length = 0;
    this.current = this.gated = null;
    this.out();
    this.clock = this.backlogMs = 0;
    this.state = copyState(snapshot);
    this.replacedSince = true;
    this.events.replaced();
  }

  push(frames: Frame[]): void {
    for (const frame of frames) {
      const clip = choreograph(frame, this.headingOf(frame.because));
      this.queue.push(clip);
      this.backlogMs += clip.ms;
    }
  }

  /** Brings what is shown to an end soon: the reader asked for the next step. */
  hurry(): void {
    this.hurried = !this.idle;
  }

  /** Shows everything that waits, at once. */
  flush(): void {
    this.out();
    this.advance(Number.POSITIVE_INFINITY);
  }

  /** Lets `ms` of wall time go by. */
  advance(ms: number): void {
    if (this.still && !this.inside) return this.applyAll();
    if (!this.current && !this.next()) return;
    let left = this.still || ms === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : ms * this.rate;
    while (left > 0) {
      if (!this.current && !this.next()) return;
      const clip = this.current!;
      const until = Math.min(this.committed ? clip.ms : clip.commitAt, this.stops[0] ?? Infinity);
      const used = Math.min(left, until - this.clock);
      this.clock = used < until - this.clock ? this.clock + used : until;
      left -= used;
      if (this.clock < until || this.clock === this.stops[0]) return;
      if (!this.committed) this.commit(clip);
      else this.finish();
    }
  }

  /** The beats of the clip that are under way. */
  live(): LiveBeat[] {
    const clip = this.current;
    if (!clip || (this.still && !this.inside)) return [];
    const found: LiveBeat[] = [];
    for (const beat of clip.beats) {
      const part = (this.clock - beat.at) / beat.ms;
      if (part >= 0 && part <= 1) found.push({ beat, part });
    }
    return found;
  }

  private next(): boolean {
    const clip = this.queue[0];
    if (!clip) return false;
    if (clip.frame.seq !== this.passed && this.gate(clip.frame)) {
      this.gated = clip.frame;
      return false;
    }
    this.queue.shift();
    this.gated = null;
    this.current = clip;
    this.backlogMs -= clip.ms;
    this.clock = 0;
    this.committed = false;
    this.stops = this.inside && !clip.frame.routine ? milestones(clip) : [];
    this.events.begin(clip.frame);
    return true;
  }

  private commit(clip: Clip): void {
    this.committed = true;
    applyFrame(this.state, clip.frame);
    this.onCommit(clip.frame);
    this.events.commit(clip.frame);
  }

  private finish(): void {
    // Once a step has been looked into, the next one is not, unless it is asked for.
    if (this.current && !this.current.frame.routine) this.out();
    this.current = null;
    this.clock = 0;
    if (!this.queue.length) this.hurried = false;
  }

  private applyAll(): void {
    for (;;) {
      if (!this.current && !this.next()) return;
      if (!this.committed) this.commit(this.current!);
      this.finish();
    }
  }
}
