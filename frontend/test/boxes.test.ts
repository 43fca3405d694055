import { describe as group, expect, test } from "vitest";
import { between, type Box, describe, grip, middle, moved, parse, pulled, resized, step, WHOLE } from "../src/boxes";

const size = { columns: 320, rows: 240 };
const box: Box = { left: 100, top: 50, width: 60, height: 20 };

group("between two corners", () => {
  test.each([
    [{ x: 10, y: 20 }, { x: 50, y: 60 }, { left: 10, top: 20, width: 40, height: 40 }],
    [{ x: 50, y: 60 }, { x: 10, y: 20 }, { left: 10, top: 20, width: 40, height: 40 }],
    [{ x: 10.4, y: 20.6 }, { x: 50.4, y: 60.6 }, { left: 10, top: 21, width: 40, height: 40 }],
    [{ x: -30, y: -5 }, { x: 900, y: 900 }, { left: 0, top: 0, width: 320, height: 240 }],
    [{ x: 7, y: 7 }, { x: 7, y: 7 }, { left: 7, top: 7, width: 1, height: 1 }],
    [{ x: 500, y: 500 }, { x: 600, y: 600 }, { left: 319, top: 239, width: 1, height: 1 }],
  ])("%o and %o", (a, b, expected) => {
    expect(between(a, b, size)).toEqual(expected);
  });
});

test("a box stops at the picture's edges and keeps its size", () => {
  expect(moved(box, 5, -3, size)).toEqual({ left: 105, top: 47, width: 60, height: 20 });
  expect(moved(box, -500, -500, size)).toEqual({ left: 0, top: 0, width: 60, height: 20 });
  expect(moved(box, 500, 500, size)).toEqual({ left: 260, top: 220, width: 60, height: 20 });
});

test("by keyboard a box grows at its right and lower edges and never turns over", () => {
  expect(resized(box, 8, 2, size)).toEqual({ left: 100, top: 50, width: 68, height: 22 });
  expect(resized(box, -500, -500, size)).toEqual({ left: 100, top: 50, width: 1, height: 1 });
  expect(resized(box, 500, 500, size)).toEqual({ left: 100, top: 50, width: 220, height: 190 });
});

test("pulled at an edge, the opposite one stays; past it, it turns over", () => {
  expect(pulled(box, { x: -1, y: 0 }, -10, 99, size)).toEqual({ left: 90, top: 50, width: 70, height: 20 });
  expect(pulled(box, { x: 1, y: 1 }, 10, 5, size)).toEqual({ left: 100, top: 50, width: 70, height: 25 });
  expect(pulled(box, { x: 1, y: 0 }, -80, 0, size)).toEqual({ left: 80, top: 50, width: 20, height: 20 });
  expect(pulled(box, WHOLE, 3, 4, size)).toEqual(moved(box, 3, 4, size));
});

test("what a point takes hold of", () => {
  expect(grip(box, { x: 130, y: 60 }, 5)).toEqual(WHOLE);
  expect(grip(box, { x: 98, y: 49 }, 5)).toEqual({ x: -1, y: -1 });
  expect(grip(box, { x: 163, y: 73 }, 5)).toEqual({ x: 1, y: 1 });
  expect(grip(box, { x: 130, y: 52 }, 5)).toEqual({ x: 0, y: -1 });
  expect(grip(box, { x: 90, y: 60 }, 5)).toBeNull();
  expect(grip(box, { x: 130, y: 76 }, 5)).toBeNull();
});

test("a small box can still be taken as a whole", () => {
  expect(grip({ left: 10, top: 10, width: 9, height: 9 }, { x: 14.5, y: 14.5 }, 20)).toEqual(WHOLE);
});

test("a row of the form is a box, or it is none", () => {
  expect(parse(["1", " 2", "3", "4"], size)).toEqual({ left: 1, top: 2, width: 3, height: 4 });
  expect(parse(["300", "200", "900", "900"], size)).toEqual({ left: 300, top: 200, width: 20, height: 40 });
  for (const bad of [["", "", "", ""], ["1", "2", "3"], ["1", "2", "0", "4"], ["320", "0", "1", "1"], ["-1", "0", "1", "1"], ["1.5", "0", "1", "1"]])
    expect(parse(bad, size)).toBeNull();
});

test("the first box by keyboard lies within, in any picture", () => {
  for (const one of [size, { columns: 1, rows: 1 }, { columns: 3, rows: 5000 }]) {
    const made = middle(one);
    expect(moved(made, 0, 0, one)).toEqual(made);
    expect(made.left + made.width).toBeLessThanOrEqual(one.columns);
    expect(made.top + made.height).toBeLessThanOrEqual(one.rows);
  }
});

test("steps grow with the picture", () => {
  expect(step({ columns: 64, rows: 64 })).toBe(1);
  expect(step({ columns: 1024, rows: 768 })).toBe(8);
});

test("a box in words", () => {
  expect(describe(box, 2)).toBe("Box 2: left 100, top 50, 60 wide, 20 high");
});
