// <class-thumb>: a learner's lab in a few strokes: a box for each node, a mark for each pod. The mark's shape says how the pod is.
import type { Tile } from "./types";

const WIDTH = 232, HEIGHT = 92, SMALL = 58, MARK = 9, GAP = 3, LABEL = 11;

function style(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function mark(pen: CanvasRenderingContext2D, letter: string, x: number, y: number): void {
  const s = MARK - 1;
  pen.lineWidth = 1.4;
  pen.strokeStyle = pen.fillStyle = style(letter === "r" ? "--ok" : letter === "x" ? "--bad" : letter === "s" ? "--warn" : "--soft");
  pen.beginPath();
  if (letter === "r") pen.fillRect(x, y, s, s);
  else if (letter === "x") {
    pen.moveTo(x, y);
    pen.lineTo(x + s, y + s);
    pen.moveTo(x + s, y);
    pen.lineTo(x, y + s);
    pen.stroke();
  } else if (letter === "s") {
    pen.strokeRect(x + 0.7, y + 0.7, s - 1.4, s - 1.4);
    pen.fillRect(x, y + s / 2, s, s / 2);
  } else if (letter === "c") {
    pen.arc(x + s / 2, y + s / 2, s / 2 - 0.7, 0, 7);
    pen.stroke();
  } else {
    pen.setLineDash([2, 2]);
    pen.strokeRect(x + 0.7, y + 0.7, s - 1.4, s - 1.4);
    pen.setLineDash([]);
  }
}

/** A node's name along the foot of its box, cut where it is too long: the end tells nodes apart. */
function label(pen: CanvasRenderingContext2D, name: string, ready: boolean, x: number, y: number, room: number): void {
  pen.font = "9px sans-serif";
  pen.fillStyle = style(ready ? "--soft" : "--bad");
  let text = name;
  while (text.length > 2 && pen.measureText(text).width > room) text = `…${text.slice(text.startsWith("…") ? 2 : 1)}`;
  pen.fillText(text, x, y);
}

/** Draws a tile's picture into its canvas; `small` where there are many tiles. */
export function drawThumb(canvas: HTMLCanvasElement, picture: Tile["picture"], small = false): void {
  const ratio = devicePixelRatio || 1, height = small ? SMALL : HEIGHT;
  canvas.width = WIDTH * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.scale(ratio, ratio);
  const rows = picture.filter(([name, , pods]) => name || pods);
  const columns = Math.min(Math.max(rows.length, 1), small ? 6 : 4);
  const lines = Math.ceil(rows.length / columns);
  const w = (WIDTH - GAP * (columns - 1)) / columns, h = (height - GAP * (lines - 1)) / Math.max(1, lines);
  rows.forEach(([name, ready, pods], i) => {
    const x = (i % columns) * (w + GAP), y = Math.floor(i / columns) * (h + GAP);
    pen.lineWidth = 1;
    pen.strokeStyle = style(ready ? "--line" : "--bad");
    if (!name) pen.setLineDash([3, 3]);
    pen.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
    pen.setLineDash([]);
    const named = name && w >= 50 && h >= 28 ? LABEL : 0;
    if (named) label(pen, name, ready, x + 5, y + h - 4, w - 10);
    const across = Math.max(1, Math.floor((w - 8) / (MARK + 2))), down = Math.max(1, Math.floor((h - 8 - named) / (MARK + 2)));
    [...pods].slice(0, across * down).forEach((letter, at) => mark(pen, letter, x + 5 + (at % across) * (MARK + 2), y + 5 + Math.floor(at / across) * (MARK + 2)));
  });
}

/** The same for those who do not see it. */
export function thumbText(picture: Tile["picture"]): { nodes: number; pods: number; ready: number; bad: number } {
  const pods = picture.map(([, , letters]) => letters).join("");
  return { nodes: picture.filter(([name]) => name).length, pods: pods.length, ready: [...pods].filter((one) => one === "r").length, bad: [...pods].filter((one) => one === "x").length };
}
