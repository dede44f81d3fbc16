// What frames the stage where it is saved as a picture: a title above, a caption below.
import type { Layout } from "./layout";
import type { Pen } from "./pen";
import { wrap } from "./words";

export interface Legend {
  title: string;
  /** What the lens asks, when and where. */
  subtitle: string;
  /** What just happened. */
  caption: string;
}

const TOP = 58, LINE = 19, SIDE = 20;

const linesOf = (pen: Pen, at: Layout, caption: string): string[] => (caption ? wrap(caption, at.width - 2 * SIDE, 3, pen.width.bind(pen), 13) : []);

/** How much the frame takes: where the stage begins, and how tall the whole is. */
export function bands(at: Layout, legend: Legend, pen: Pen): { top: number; height: number } {
  const lines = linesOf(pen, at, legend.caption).length;
  return { top: TOP, height: TOP + at.height + (lines ? lines * LINE + 18 : 0) };
}

export function drawBands(pen: Pen, at: Layout, legend: Legend): void {
  const { theme } = pen;
  const { top, height } = bands(at, legend, pen);
  pen.rect({ x: 0, y: 0, w: at.width, h: height }, { fill: theme.bg });
  pen.rect({ x: 0, y: 0, w: at.width, h: top - 8 }, { fill: theme.panel });
  pen.text(legend.title, SIDE, 23, { size: 16, weight: 700, max: at.width - 2 * SIDE });
  pen.text(legend.subtitle, SIDE, 41, { size: 12, color: theme.soft, max: at.width - 2 * SIDE });
  linesOf(pen, at, legend.caption).forEach((line, i) => pen.text(line, SIDE, top + at.height + 18 + i * LINE, { size: 13 }));
}
