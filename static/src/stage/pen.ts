// A small drawing vocabulary over the canvas: boxes, words that fit, lines, shapes that stand for states, patterns for versions.
import type { Box, Point } from "./geometry";
import type { SvgContext } from "./svg";
import type { Theme } from "./theme";

export interface Paint {
  fill?: string;
  stroke?: string;
  width?: number;
  alpha?: number;
  fillAlpha?: number;
  dash?: number[];
  radius?: number;
}

export interface Words {
  size?: number;
  weight?: number;
  color?: string;
  align?: CanvasTextAlign;
  mono?: boolean;
  /** Cut with an ellipsis beyond this width. */
  max?: number;
  alpha?: number;
  spacing?: number;
}

export type Glyph = "check" | "clock" | "hollow" | "cross" | "hourglass" | "done" | "question" | "warn";

export class Pen {
  private readonly widths = new Map<string, number>();
  private readonly cuts = new Map<string, string>();
  private readonly tiles = new Map<string, CanvasPattern>();

  constructor(readonly ctx: CanvasRenderingContext2D, public theme: Theme) {}

  /** A pen that writes SVG. `ruler` measures words. */
  static svg(svg: SvgContext, theme: Theme): Pen {
    return new Pen(svg as unknown as CanvasRenderingContext2D, theme);
  }

  retheme(theme: Theme): void {
    this.theme = theme;
    this.tiles.clear();
  }

  rect(box: Box, paint: Paint): void {
    const { ctx } = this;
    ctx.beginPath();
    const radius = Math.min(paint.radius ?? 0, box.w / 2, box.h / 2);
    if (radius > 0) ctx.roundRect(box.x, box.y, box.w, box.h, radius);
    else ctx.rect(box.x, box.y, box.w, box.h);
    this.paint(paint);
  }

  circle(at: Point, r: number, paint: Paint): void {
    this.ctx.beginPath();
    this.ctx.arc(at.x, at.y, r, 0, Math.PI * 2);
    this.paint(paint);
  }

  line(points: Point[], paint: Paint): void {
    const { ctx } = this;
    ctx.beginPath();
    points.forEach((p, i) => (i ? ctx.lineTo(p.x, p.y) : ctx.moveTo(p.x, p.y)));
    this.paint({ ...paint, fill: undefined });
  }

  curve(a: Point, b: Point, c: Point, d: Point, paint: Paint): void {
    this.ctx.beginPath();
    this.ctx.moveTo(a.x, a.y);
    this.ctx.bezierCurveTo(b.x, b.y, c.x, c.y, d.x, d.y);
    this.paint({ ...paint, fill: undefined });
  }

  paint(paint: Paint): void {
    const { ctx } = this;
    const alpha = paint.alpha ?? 1;
    if (paint.fill) {
      ctx.globalAlpha = alpha * (paint.fillAlpha ?? 1);
      ctx.fillStyle = paint.fill;
      ctx.fill();
    }
    if (paint.stroke) {
      ctx.globalAlpha = alpha;
      ctx.strokeStyle = paint.stroke;
      ctx.lineWidth = paint.width ?? 1;
      ctx.setLineDash(paint.dash ?? []);
      ctx.stroke();
    }
    ctx.globalAlpha = 1;
  }

  text(words: string, x: number, y: number, style: Words = {}): void {
    const { ctx, theme } = this;
    ctx.font = this.font(style);
    ctx.textAlign = style.align ?? "left";
    ctx.fillStyle = style.color ?? theme.text;
    ctx.globalAlpha = style.alpha ?? 1;
    ctx.letterSpacing = `${style.spacing ?? 0}px`;
    ctx.fillText(style.max === undefined ? words : this.fit(words, style), x, y);
    ctx.globalAlpha = 1;
    if (style.spacing) ctx.letterSpacing = "0px";
  }

  width(words: string, style: Words = {}): number {
    const font = this.font(style);
    const key = font + words;
    let width = this.widths.get(key);
    if (width === undefined) {
      this.ctx.font = font;
      width = this.ctx.measureText(words).width;
      if (this.widths.size > 5000) this.widths.clear();
      this.widths.set(key, width);
    }
    return width;
  }

  /** The words, cut to `style.max`. */
  fit(words: string, style: Words): string {
    const max = style.max ?? Infinity;
    if (this.width(words, style) <= max) return words;
    const key = `${style.size}/${style.weight}/${style.mono}/${Math.floor(max)}/${words}`;
    let cut = this.cuts.get(key);
    if (cut === undefined) {
      let low = 0, high = words.length;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (this.width(words.slice(0, middle) + "…", style) <= max) low = middle;
        else high = middle - 1;
      }
      cut = low ? words.slice(0, low) + "…" : "";
      if (this.cuts.size > 5000) this.cuts.clear();
      this.cuts.set(key, cut);
    }
    return cut;
  }

  private font(style: Words): string {
    return `${style.weight ?? 400} ${style.size ?? 12}px ${style.mono ? this.theme.mono : this.theme.sans}`;
  }

  /** Fills the path of a box with one of the version patterns: none, stripes, dots, bars, grid, counter-stripes, waves, checks. */
  pattern(box: Box, radius: number, number: number, color: string, alpha: number): void {
    if (number % 8 === 0) return;
    if ("except" in this.ctx) return this.vectorPattern(this.ctx as unknown as SvgContext, box, radius, number % 8, color, alpha);
    const tile = this.tile(number % 8, color);
    if (!tile) return;
    const { ctx } = this;
    ctx.save();
    ctx.globalAlpha = alpha;
    ctx.beginPath();
    ctx.roundRect(box.x, box.y, box.w, box.h, Math.min(radius, box.w / 2, box.h / 2));
    ctx.translate(box.x, box.y);
    ctx.fillStyle = tile;
    ctx.fill();
    ctx.restore();
  }

  private vectorPattern(svg: SvgContext, box: Box, radius: number, number: number, color: string, alpha: number): void {
    svg.save();
    svg.globalAlpha = alpha;
    svg.beginPath();
    svg.roundRect(box.x, box.y, box.w, box.h, Math.min(radius, box.w / 2, box.h / 2));
    svg.tile(`tile-${number}-${color}`, TILE, box.x + svg.dx, box.y + svg.dy, (inner) => {
      inner.strokeStyle = inner.fillStyle = color;
      inner.lineWidth = 2.6;
      TILES[number]!(inner as unknown as CanvasRenderingContext2D);
    });
    svg.restore();
  }

  private tile(number: number, color: string): CanvasPattern | null {
    const key = `${number}/${color}`;
    const known = this.tiles.get(key);
    if (known) return known;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 24;
    const ctx = canvas.getContext("2d")!;
    ctx.scale(2, 2);
    ctx.strokeStyle = ctx.fillStyle = color;
    ctx.lineWidth = 2.6;
    TILES[number]!(ctx);
    const tile = this.ctx.createPattern(canvas, "repeat");
    tile?.setTransform(new DOMMatrix().scale(0.5));
    if (tile) this.tiles.set(key, tile);
    return tile;
  }

  /** The shape of a state, centred. */
  glyph(glyph: Glyph, at: Point, r: number, color: string, part = 0.25): void {
    const { ctx } = this;
    ctx.lineCap = "round";
    ctx.lineJoin = "round";
    const stroke = (width = Math.max(1.2, r * 0.3)): void => this.paint({ stroke: color, width });
    ctx.beginPath();
    switch (glyph) {
      case "check":
        ctx.moveTo(at.x - r * 0.8, at.y);
        ctx.lineTo(at.x - r * 0.2, at.y + r * 0.6);
        ctx.lineTo(at.x + r * 0.9, at.y - r * 0.7);
        stroke(Math.max(1.4, r * 0.38));
        break;
      case "cross":
        ctx.moveTo(at.x - r * 0.65, at.y - r * 0.65);
        ctx.lineTo(at.x + r * 0.65, at.y + r * 0.65);
        ctx.moveTo(at.x + r * 0.65, at.y - r * 0.65);
        ctx.lineTo(at.x - r * 0.65, at.y + r * 0.65);
        stroke(Math.max(1.4, r * 0.38));
        break;
      case "hollow":
        ctx.arc(at.x, at.y, r * 0.75, 0, Math.PI * 2);
        stroke();
        break;
      case "done":
        ctx.rect(at.x - r * 0.6, at.y - r * 0.6, r * 1.2, r * 1.2);
        this.paint({ fill: color });
        break;
      case "warn":
        ctx.moveTo(at.x, at.y - r * 0.9);
        ctx.lineTo(at.x + r * 0.95, at.y + r * 0.75);
        ctx.lineTo(at.x - r * 0.95, at.y + r * 0.75);
        ctx.closePath();
        stroke();
        break;
      case "clock":
      case "hourglass":
        ctx.arc(at.x, at.y, r * 0.8, 0, Math.PI * 2);
        stroke(Math.max(1, r * 0.22));
        ctx.beginPath();
        ctx.moveTo(at.x, at.y);
        ctx.arc(at.x, at.y, r * 0.8, -Math.PI / 2, -Math.PI / 2 + Math.PI * 2 * part);
        ctx.closePath();
        this.paint({ fill: color });
        break;
      case "question":
        this.text("?", at.x, at.y + r * 0.7, { size: r * 2, weight: 700, color, align: "center" });
    }
    ctx.lineCap = "butt";
    ctx.lineJoin = "miter";
  }
}

/** The side of a tile. */
const TILE = 12;
type Drawing = (ctx: CanvasRenderingContext2D) => void;
const strokes = (...lines: [number, number, number, number][]): Drawing => (ctx) => {
  ctx.beginPath();
  for (const [x1, y1, x2, y2] of lines) {
    ctx.moveTo(x1, y1);
    ctx.lineTo(x2, y2);
  }
  ctx.stroke();
};
const TILES: Record<number, Drawing> = {
  1: strokes([-3, 15, 15, -3], [-3, 3, 3, -3], [9, 15, 15, 9]),
  2: (ctx) => {
    for (const [x, y] of [[3, 3], [9, 9]] as const) {
      ctx.beginPath();
      ctx.arc(x, y, 1.8, 0, 7);
      ctx.fill();
    }
  },
  3: strokes([3, 0, 3, 12], [9, 0, 9, 12]),
  4: strokes([0, 6, 12, 6], [6, 0, 6, 12]),
  5: strokes([-3, -3, 15, 15], [9, -3, 15, 3], [-3, 9, 3, 15]),
  6: strokes([0, 3, 12, 3], [0, 9, 12, 9]),
  7: (ctx) => {
    ctx.fillRect(0, 0, 6, 6);
    ctx.fillRect(6, 6, 6, 6);
  },
};
