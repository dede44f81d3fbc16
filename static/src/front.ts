// The front page. Its form works without this script; this adds the moving picture: the lab page's own stage, fed with recorded frames.
import "./styles/theme.css";
import "./styles/base.css";
import "./styles/front.css";
import { useLanguage } from "./i18n/t";
import { chooseLanguage } from "./i18n/choose";
import { clamp } from "./stage/geometry";
import { Scene } from "./stage/scene";
import { Player } from "./stream/player";
import type { Frame, Snapshot } from "./stream/types";
import { sentenceOf } from "./lab/words";

interface Recording {
  snapshot: Snapshot;
  frames: Frame[];
}

const PAUSE_MS = 4000;
const PHONE_WIDTH = 520;
const STILL_AT = 48;

function show(root: HTMLElement, recording: Recording): void {
  const caption = root.querySelector<HTMLElement>(".caption")!;
  const headings = new Map(recording.frames.map((frame) => [frame.seq, frame]));
  const player = new Player({ begin: (frame) => void (caption.textContent = sentenceOf(frame)), commit: () => undefined, replaced: () => undefined }, (seq) => headings.get(seq));
  const [lower, upper] = root.querySelectorAll("canvas");
  const scene = new Scene(lower!, upper!, player);
  player.onCommit = (frame) => scene.commit(frame);
  player.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  player.replace(recording.snapshot);
  scene.replaced();
  let last = performance.now(), next = 0, since = last;
  // Small enough for the nodes to stand in one row: a picture, not a page to read. On a phone they stand under one another, so that it can be read.
  const size = (): void => {
    const { clientWidth: width } = root;
    scene.resize({ width, height: root.clientHeight - caption.offsetHeight }, width < PHONE_WIDTH ? width / 480 : clamp(width / 890, 0.6, 1.05));
    if (player.still) scene.draw(performance.now());
  };
  new ResizeObserver(size).observe(root);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => scene.retheme());
  const tick = (now: number): void => {
    if (player.idle && next < recording.frames.length) player.push([recording.frames[next++]!]);
    else if (player.idle && now - since > PAUSE_MS) {
      player.replace(recording.snapshot);
      scene.replaced();
      next = 0;
    }
    if (!player.idle) since = now;
    player.advance(Math.min(60, Math.max(0, now - last)));
    last = now;
    scene.draw(performance.now());
    requestAnimationFrame(tick);
  };
  if (player.still) {
    // Those who want no motion see the middle of the rollout.
    player.push(recording.frames.slice(0, STILL_AT));
    player.flush();
    size();
  } else requestAnimationFrame(tick);
}

/** The frames of the picture; null where they do not come: the page says all without them. */
async function record(url: string): Promise<Recording | null> {
  try {
    const answer = await fetch(url);
    return answer.ok ? ((await answer.json()) as Recording) : null;
  } catch {
    return null;
  }
}

useLanguage();
const root = document.querySelector<HTMLElement>(".moving");
// The recording is larger than everything else here: it comes when the page has been drawn.
if (root) void record(root.dataset["recording"] ?? "").then((recording) => recording && show(root, recording));

chooseLanguage(document.querySelector<HTMLSelectElement>("select[name=language]"));
