// Boxes, points and paths: the little geometry that layout and motion share. Pure.

export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Point {
  x: number;
  y: number;
}

export const center = (box: Box): Point => ({ x: box.x + box.w / 2, y: box.y + box.h / 2 });
export const topOf = (box: Box): Point => ({ x: box.x + box.w / 2, y: box.y });
export const bottomOf = (box: Box): Point => ({ x: box.x + box.w / 2, y: box.y + box.h });
export const contains = (box: Box, p: Point): boolean => p.x >= box.x && p.x <= box.x + box.w && p.y >= box.y && p.y <= box.y + box.h;
export const inset = (box: Box, dx: number, dy = dx): Box => ({ x: box.x + dx, y: box.y + dy, w: box.w - 2 * dx, h: box.h - 2 * dy });
export const sameBox = (a: Box, b: Box): boolean => a.x === b.x && a.y === b.y && a.w === b.w && a.h === b.h;
export const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
export const mix = (a: number, b: number, t: number): number => a + (b - a) * t;
export const mixBox = (a: Box, b: Box, t: number): Box => ({ x: mix(a.x, b.x, t), y: mix(a.y, b.y, t), w: mix(a.w, b.w, t), h: mix(a.h, b.h, t) });

/** Slow, fast, slow. */
export const ease = (t: number): number => (t < 0.5 ? 4 * t * t * t : 1 - (-2 * t + 2) ** 3 / 2);
/** Fast, slow. */
export const easeOut = (t: number): number => 1 - (1 - t) ** 3;

/** The point at part `t` (0 to 1) of a polyline's length. */
export function along(points: Point[], t: number): Point {
  const first = points[0] ?? { x: 0, y: 0 };
  if (points.length < 2) return first;
  const lengths = points.slice(1).map((p, i) => Math.hypot(p.x - points[i]!.x, p.y - points[i]!.y));
  let rest = lengths.reduce((sum, length) => sum + length, 0) * clamp(t, 0, 1);
  for (let i = 0; i < lengths.length; i++) {
    const length = lengths[i]!;
    if (rest <= length || i === lengths.length - 1) {
      const part = length ? Math.min(1, rest / length) : 1;
      return { x: mix(points[i]!.x, points[i + 1]!.x, part), y: mix(points[i]!.y, points[i + 1]!.y, part) };
    }
    rest -= length;
  }
  return points.at(-1)!;
}

/** The point at `t` of a cubic curve. */
export function bezier(a: Point, b: Point, c: Point, d: Point, t: number): Point {
  const u = 1 - t;
  const [p, q, r, s] = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t];
  return { x: p * a.x + q * b.x + r * c.x + s * d.x, y: p * a.y + q * b.y + r * c.y + s * d.y };
}

/** Boxes of equal width side by side. */
export function columns(box: Box, count: number, gap: number): Box[] {
  const w = (box.w - gap * (count - 1)) / Math.max(1, count);
  return Array.from({ length: count }, (_, i) => ({ x: box.x + i * (w + gap), y: box.y, w, h: box.h }));
}

/** Names as people count: node-2 before node-10. */
export const natural = new Intl.Collator("en", { numeric: true }).compare;
