// A drawing context that writes SVG: the part of the canvas's interface that the pen uses, so that what draws the stage on the screen
// draws it as vectors as well.
const round = (value: number): string => String(Math.round(value * 100) / 100);
const escape = (words: string): string => words.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]!);

interface Style {
  fillStyle: string;
  strokeStyle: string;
  lineWidth: number;
  globalAlpha: number;
  font: string;
  textAlign: CanvasTextAlign;
  letterSpacing: string;
  lineCap: CanvasLineCap;
  lineJoin: CanvasLineJoin;
  dash: number[];
  dx: number;
  dy: number;
  scaled: number;
}

const ANCHORS: Partial<Record<CanvasTextAlign, string>> = { center: "middle", right: "end", end: "end" };

export class SvgContext implements Style {
  fillStyle = "#000";
  strokeStyle = "#000";
  lineWidth = 1;
  globalAlpha = 1;
  font = "12px sans-serif";
  textAlign: CanvasTextAlign = "left";
  letterSpacing = "0px";
  lineCap: CanvasLineCap = "butt";
  lineJoin: CanvasLineJoin = "miter";
  dash: number[] = [];
  dx = 0;
  dy = 0;
  scaled = 1;
  private path = "";
  private readonly saved: Style[] = [];
  private readonly out: string[] = [];
  private readonly defs: string[] = [];

  /** `ruler`: a canvas's context, which knows how wide words are. */
  constructor(private readonly ruler: CanvasRenderingContext2D) {}

  // The path.

  beginPath(): void {
    this.path = "";
  }

  moveTo(x: number, y: number): void {
    this.path += `M${this.at(x, y)}`;
  }

  lineTo(x: number, y: number): void {
    this.path += `L${this.at(x, y)}`;
  }

  bezierCurveTo(a: number, b: number, c: number, d: number, x: number, y: number): void {
    this.path += `C${this.at(a, b)} ${this.at(c, d)} ${this.at(x, y)}`;
  }

  closePath(): void {
    this.path += "Z";
  }

  arc(x: number, y: number, r: number, from: number, to: number): void {
    const size = round(r * this.scaled);
    const point = (angle: number): string => this.at(x + r * Math.cos(angle), y + r * Math.sin(angle));
    const start = this.path && !this.path.endsWith("Z") ? "L" : "M";
    const turn = to - from;
    if (Math.abs(turn) >= Math.PI * 2 - 1e-6) this.path += `${start}${point(from)}A${size} ${size} 0 1 1 ${point(from + Math.PI)}A${size} ${size} 0 1 1 ${point(from)}Z`;
    else {
      // As on a canvas, an arc runs clockwise.
      const swept = ((turn % (Math.PI * 2)) + Math.PI * 2) % (Math.PI * 2);
      this.path += `${start}${point(from)}A${size} ${size} 0 ${swept > Math.PI ? 1 : 0} 1 ${point(to)}`;
    }
  }

  rect(x: number, y: number, w: number, h: number): void {
    this.path += `M${this.at(x, y)}h${round(w * this.scaled)}v${round(h * this.scaled)}h${round(-w * this.scaled)}Z`;
  }

  roundRect(x: number, y: number, w: number, h: number, radius: number): void {
    const r = Math.max(0, Math.min(radius, w / 2, h / 2));
    const turn = (dx: number, dy: number): string => `a${round(r)} ${round(r)} 0 0 1 ${round(dx)} ${round(dy)}`;
    this.path += `M${this.at(x + r, y)}h${round(w - 2 * r)}${turn(r, r)}v${round(h - 2 * r)}${turn(-r, r)}h${round(2 * r - w)}${turn(-r, -r)}v${round(2 * r - h)}${turn(r, -r)}Z`;
  }

  // Paint.

  fill(): void {
    this.draw(`fill="${this.fillStyle}"`);
  }

  stroke(): void {
    const dash = this.dash.length ? ` stroke-dasharray="${this.dash.map(round).join(" ")}"` : "";
    const ends = (this.lineCap === "butt" ? "" : ` stroke-linecap="${this.lineCap}"`) + (this.lineJoin === "miter" ? "" : ` stroke-linejoin="${this.lineJoin}"`);
    this.draw(`fill="none" stroke="${this.strokeStyle}" stroke-width="${round(this.lineWidth * this.scaled)}"${dash}${ends}`);
  }

  fillRect(x: number, y: number, w: number, h: number): void {
    this.out.push(`<rect x="${round(x + this.dx)}" y="${round(y + this.dy)}" width="${round(w)}" height="${round(h)}" fill="${this.fillStyle}"${this.alpha}/>`);
  }

  strokeRect(x: number, y: number, w: number, h: number): void {
    this.out.push(`<rect x="${round(x + this.dx)}" y="${round(y + this.dy)}" width="${round(w)}" height="${round(h)}" fill="none" stroke="${this.strokeStyle}" stroke-width="${round(this.lineWidth)}"${this.alpha}/>`);
  }

  fillText(words: string, x: number, y: number): void {
    const [, weight = "400", size = "12", family = "sans-serif"] = /^(\S+) ([\d.]+)px (.*)$/.exec(this.font) ?? [];
    const anchor = ANCHORS[this.textAlign];
    const spacing = parseFloat(this.letterSpacing) ? ` letter-spacing="${parseFloat(this.letterSpacing)}"` : "";
    this.out.push(`<text x="${round(x + this.dx)}" y="${round(y + this.dy)}" font-family="${escape(family)}" font-size="${size}" font-weight="${weight}"${anchor ? ` text-anchor="${anchor}"` : ""}${spacing} fill="${this.fillStyle}"${this.alpha}>${escape(words)}</text>`);
  }

  measureText(words: string): TextMetrics {
    this.ruler.font = this.font;
    return this.ruler.measureText(words);
  }

  setLineDash(dash: number[]): void {
    this.dash = dash;
  }

  // The state.

  save(): void {
    const { fillStyle, strokeStyle, lineWidth, globalAlpha, font, textAlign, letterSpacing, lineCap, lineJoin, dash, dx, dy, scaled } = this;
    this.saved.push({ fillStyle, strokeStyle, lineWidth, globalAlpha, font, textAlign, letterSpacing, lineCap, lineJoin, dash, dx, dy, scaled });
  }

  restore(): void {
    Object.assign(this, this.saved.pop());
  }

  translate(x: number, y: number): void {
    this.dx += x * this.scaled;
    this.dy += y * this.scaled;
  }

  // What only pictures have.

  /** Fills the path with a tile that `paint` draws on a field of `size`; the tile begins at (x, y). */
  tile(name: string, size: number, x: number, y: number, paint: (ctx: SvgContext) => void): void {
    const id = `${name}-${round(x)}-${round(y)}`.replace(/[^\w-]/g, "_");
    if (!this.defs.some((one) => one.includes(`id="${id}"`))) {
      const inner = new SvgContext(this.ruler);
      paint(inner);
      this.defs.push(`<pattern id="${id}" x="${round(x)}" y="${round(y)}" width="${size}" height="${size}" patternUnits="userSpaceOnUse">${inner.out.join("")}</pattern>`);
    }
    this.draw(`fill="url(#${id})"`);
  }

  /** What `paint` draws, without what lies beneath the path that `hide` lays. */
  except(paint: () => void, hide: () => void, width: number, height: number): void {
    const id = `beneath-${this.defs.length}`;
    this.beginPath();
    hide();
    this.defs.push(`<mask id="${id}" maskUnits="userSpaceOnUse" x="0" y="0" width="${width}" height="${height}"><rect width="${width}" height="${height}" fill="#fff"/><path d="${this.path}" fill="#000"/></mask>`);
    this.out.push(`<g mask="url(#${id})">`);
    paint();
    this.out.push("</g>");
  }

  /** The whole picture as a file. */
  file(width: number, height: number, title: string, caption: string): string {
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" viewBox="0 0 ${round(width)} ${round(height)}" role="img" aria-labelledby="title caption">`
      + `<title id="title">${escape(title)}</title><desc id="caption">${escape(caption)}</desc><defs>${this.defs.join("")}</defs>${this.out.join("\n")}</svg>\n`;
  }

  private at(x: number, y: number): string {
    return `${round(x * this.scaled + this.dx)} ${round(y * this.scaled + this.dy)}`;
  }

  private get alpha(): string {
    return this.globalAlpha < 1 ? ` opacity="${round(this.globalAlpha)}"` : "";
  }

  private draw(paint: string): void {
    if (this.path) this.out.push(`<path d="${this.path}" ${paint}${this.alpha}/>`);
  }
}
