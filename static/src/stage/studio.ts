// Small pictures of a cluster: the stage's own drawing, of one lens at one moment, cut to what the lens is about. One scene off the page
// draws them all, one after the other.
import { clamp, type Box } from "./geometry";
import type { Layout, Lens } from "./layout";
import type { BoardExtras } from "./board";
import { Scene } from "./scene";
import type { DecisionAnswer, LoopsAnswer, UsageAnswer } from "../lab/api";
import type { ClusterIndex } from "../lab/index";
import { Player } from "../stream/player";
import type { State } from "../stream/reducer";
import type { Frame } from "../stream/types";

export interface Subject {
  state: State;
  lens: Lens;
  select: string;
  /** The step that the picture is of; null where it is of the present. */
  frame: Frame | null;
  usage?: UsageAnswer;
  loops?: LoopsAnswer;
  decision?: DecisionAnswer | null;
  /** The pod that the decision is about. */
  pod?: string;
  inside?: BoardExtras["inside"];
  access?: BoardExtras["access"];
  owners?: BoardExtras["owners"];
}

/** A picture is laid out for this width, and for this height at least, and drawn smaller: small type, but all of it. */
const WIDTH: Record<Lens, number> = { workloads: 640, "control-plane": 400, scheduling: 440, etcd: 460, ownership: 520, traffic: 680, storage: 560, node: 420, access: 560 };
const LARGE_WIDTH = 1100;
const LEAST_HEIGHT = 380;
const EMPTY_HEIGHT = 112;
const EDGE = 10;
/** However little room there is, type keeps this part of its size. */
const SMALLEST = 0.42;
const LARGEST = 0.9;
/** A picture is never taller than so many times its width. */
const TALLEST = 1.25;

class Studio {
  private readonly lower = document.createElement("canvas");
  private readonly upper = document.createElement("canvas");
  private readonly player = new Player({ begin: () => undefined, commit: () => undefined, replaced: () => undefined });
  private readonly scene = new Scene(this.lower, this.upper, this.player);

  /** Draws into a canvas of the page, `room` points wide. `like` knows the colours that versions have on the page's own stage. A large
   * picture is laid out for the room that there is, and type has its size. */
  draw(target: HTMLCanvasElement, subject: Subject, room: number, like: ClusterIndex | null, large = false): void {
    const { scene, player } = this;
    player.still = true;
    player.state = subject.state;
    scene.retheme();
    scene.lens = subject.lens;
    scene.selected = scene.focus = subject.select;
    scene.decided(subject.decision ?? null, subject.pod ?? "");
    if (subject.loops) scene.looped(subject.loops);
    if (like) scene.index = like;
    scene.replaced();
    scene.informed({ answer: null, access: subject.access ?? null, inside: subject.inside ?? null, owners: subject.owners ?? null });
    scene.measured(subject.usage ?? { time: 0, nodes: {}, pods: {} });
    scene.hold(subject.frame);
    const width = large ? clamp(room, WIDTH[subject.lens], LARGE_WIDTH) : WIDTH[subject.lens];
    scene.resize({ width, height: LEAST_HEIGHT }, 1);
    scene.draw(performance.now());
    this.cut(target, scene.at, room, large);
  }

  private cut(target: HTMLCanvasElement, at: Layout, room: number, large: boolean): void {
    const box = subjectBox(at);
    const scale = large ? clamp(room / box.w, 0.75, 1.4) : clamp(room / box.w, SMALLEST, LARGEST);
    const ratio = this.lower.width / at.width, sharp = Math.min(2, window.devicePixelRatio || 1);
    const w = large ? box.w : Math.min(box.w, room / scale), h = large ? box.h : Math.min(box.h, w * TALLEST);
    target.width = Math.round(w * scale * sharp);
    target.height = Math.round(h * scale * sharp);
    target.style.width = `${w * scale}px`;
    target.style.height = `${h * scale}px`;
    const ctx = target.getContext("2d")!;
    ctx.imageSmoothingQuality = "high";
    for (const layer of [this.lower, this.upper]) ctx.drawImage(layer, box.x * ratio, box.y * ratio, w * ratio, h * ratio, 0, 0, target.width, target.height);
  }
}

/** The part of the stage that a lens is about. */
function subjectBox(at: Layout): Box {
  const nodes = [...at.nodes.values()].map((node) => node.box);
  const parts: Record<Lens, Box[]> = {
    workloads: [...at.shelf.values(), ...nodes, ...at.services.values()],
    "control-plane": [at.kubectl, at.etcd, at.controllers, at.scheduler, at.bus],
    scheduling: [at.scheduler],
    etcd: [at.etcd, at.bus],
    ownership: [...at.owners.values(), ...[...at.others.values(), ...at.groups.values(), ...at.pods.values()].map((each) => each.box), ...at.services.values()],
    traffic: boardBoxes(at), storage: boardBoxes(at), node: boardBoxes(at), access: boardBoxes(at),
  };
  const shown = parts[at.lens].filter((box) => box.w > 0 && box.h > 0);
  if (!shown.length) return { x: 0, y: at.bus.y + at.bus.h + 4, w: at.width, h: EMPTY_HEIGHT };
  const head = at.board || at.lens === "ownership" || at.lens === "workloads" ? 26 : 0;
  const x = Math.max(0, Math.min(...shown.map((box) => box.x)) - EDGE), y = Math.max(0, Math.min(...shown.map((box) => box.y)) - (at.lens === "control-plane" ? 3 : EDGE + head)); // below the row's title
  const right = Math.min(at.width, Math.max(...shown.map((box) => box.x + box.w)) + EDGE);
  const bottom = Math.min(at.height, Math.max(...shown.map((box) => box.y + box.h)) + EDGE);
  return { x, y, w: right - x, h: bottom - y };
}

const boardBoxes = (at: Layout): Box[] => (at.board ? [...at.board.boxes.values()] : []);

let studio: Studio | null = null;

/** Draws a picture; see `Studio.draw`. */
export function drawPicture(...given: Parameters<Studio["draw"]>): void {
  studio ??= new Studio();
  studio.draw(...given);
}
