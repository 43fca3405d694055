// Rectangles over a picture, in its pixels. Nothing here knows the page: whole numbers in, whole numbers out.

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Which edges are taken hold of: -1 the left or upper, 1 the right or lower, 0 none. Both 0: the box as a whole. */
export interface Grip {
  readonly x: -1 | 0 | 1;
  readonly y: -1 | 0 | 1;
}

export const WHOLE: Grip = { x: 0, y: 0 };

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(Math.round(value), low), Math.max(low, high));
}

/** Both ends of an edge, at least one pixel apart and within 0 to `most`. */
function span(a: number, b: number, most: number): [number, number] {
  const low = clamp(Math.min(a, b), 0, most - 1);
  return [low, clamp(Math.max(a, b), low + 1, most)];
}

/** The box between two corners, cut at the picture's edges; at least one pixel. */
export function between(a: Point, b: Point, size: Size): Box {
  const [left, right] = span(a.x, b.x, size.columns);
  const [top, bottom] = span(a.y, b.y, size.rows);
  return { left, top, width: right - left, height: bottom - top };
}

/** Move a box, no further than to the picture's edges. */
export function moved(box: Box, dx: number, dy: number, size: Size): Box {
  return {
    ...box,
    left: clamp(box.left + dx, 0, size.columns - box.width),
    top: clamp(box.top + dy, 0, size.rows - box.height),
  };
}

/** Pull at a box: what `grip` holds follows, past the opposite edge too; held as a whole, it moves. */
export function pulled(box: Box, grip: Grip, dx: number, dy: number, size: Size): Box {
  if (grip.x === 0 && grip.y === 0) return moved(box, dx, dy, size);
  const right = box.left + box.width;
  const bottom = box.top + box.height;
  return between(
    { x: box.left + (grip.x < 0 ? dx : 0), y: box.top + (grip.y < 0 ? dy : 0) },
    { x: right + (grip.x > 0 ? dx : 0), y: bottom + (grip.y > 0 ? dy : 0) },
    size,
  );
}

/** Make a box larger or smaller at its right and lower edges; it never turns over. */
export function resized(box: Box, dx: number, dy: number, size: Size): Box {
  return {
    ...box,
    width: clamp(box.width + dx, 1, size.columns - box.left),
    height: clamp(box.height + dy, 1, size.rows - box.top),
  };
}

/** What a point takes hold of, `reach` pixels around the edges counted; null where it is away from the box. */
export function grip(box: Box, at: Point, reach: number): Grip | null {
  const right = box.left + box.width;
  const bottom = box.top + box.height;
  if (at.x < box.left - reach || at.x > right + reach || at.y < box.top - reach || at.y > bottom + reach) return null;
  return { x: side(at.x, box.left, right, reach), y: side(at.y, box.top, bottom, reach) };
}

function side(at: number, low: number, high: number, reach: number): -1 | 0 | 1 {
  // Of a small box a third stays to take it as a whole.
  const near = Math.min(reach, (high - low) / 3);
  if (at <= low + near) return -1;
  return at >= high - near ? 1 : 0;
}

/** A box as a form has it, or null where it is none within the picture. */
export function parse(values: readonly string[], size: Size): Box | null {
  const numbers = values.map((text) => (/^\d{1,6}$/.test(text.trim()) ? Number(text) : -1));
  const [left = -1, top = -1, width = -1, height = -1] = numbers;
  if (numbers.length !== 4 || left < 0 || top < 0 || width < 1 || height < 1) return null;
  if (left >= size.columns || top >= size.rows) return null;
  return { left, top, width: Math.min(width, size.columns - left), height: Math.min(height, size.rows - top) };
}

/** A first box for somebody who can't point: in the middle, as wide and low as a line of text. */
export function middle(size: Size): Box {
  const width = Math.max(1, Math.round(size.columns / 4));
  const height = Math.max(1, Math.round(size.rows / 12));
  return { left: Math.floor((size.columns - width) / 2), top: Math.floor((size.rows - height) / 2), width, height };
}

/** How far an arrow key goes. */
export function step(size: Size): number {
  return Math.max(1, Math.round(Math.max(size.columns, size.rows) / 128));
}

export function describe(box: Box, number: number): string {
  return `Box ${number}: left ${box.left}, top ${box.top}, ${box.width} wide, ${box.height} high`;
}
