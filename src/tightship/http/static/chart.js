// A chart of memory over time, drawn by hand: bands of slots, the server's line, the budget's two limits.

import { svg } from "./dom.js";
import { bytes } from "./format.js";

export const SPAN_S = 200;
const HEIGHT = 190;
const EDGE = { left: 58, right: 8, top: 20, bottom: 24 };
// Two points further apart than this are not joined: nobody looked in between.
const GAP_S = 7;
// The limits are shown by themselves from this part of the soft one on.
const NEAR = 4;
const total = (point) => point.slots.reduce((sum, held) => sum + held, 0);

/** A round number of bytes that fits the axis about four times. */
function step(top) {
  const rough = top / 4;
  return 2 ** Math.ceil(Math.log2(Math.max(rough, 1)));
}

function runs(points) {
  const parts = [[]];
  points.forEach((point, at) => {
    if (at && point.at - points[at - 1].at > GAP_S) parts.push([]);
    parts[parts.length - 1].push(point);
  });
  return parts.filter((part) => part.length);
}

const most = (points) => Math.max(1, ...points.map((point) => Math.max(total(point), point.server)));

/** Whether the limits are so far off that what is held would be a flat line beneath them. */
export const farFromLimits = (points, budget) => most(points) < budget.soft_bytes / NEAR;

/** The highest value that has to be seen. */
function ceiling(points, budget, zoomed) {
  return zoomed ? most(points) * 1.25 : Math.max(budget.hard_bytes, most(points)) * 1.08;
}

/** Return the chart as an element. `points`: `{ at, slots: [bytes], server }`, oldest first, `at` in seconds. */
export function chart(points, budget, { width, zoomed, title }) {
  const now = points.length ? points[points.length - 1].at : 0;
  const top = ceiling(points, budget, zoomed);
  const x = (at) => width - EDGE.right - ((now - at) / SPAN_S) * (width - EDGE.left - EDGE.right);
  const y = (value) => HEIGHT - EDGE.bottom - (value / top) * (HEIGHT - EDGE.top - EDGE.bottom);
  const scale = { x, y, width, top };
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": title },
    grid(scale),
    bands(points, scale),
    runs(points).map((part) => svg("path", { class: "server", d: line(part, (point) => point.server, scale) })),
    limit("soft", budget.soft_bytes, scale),
    limit("hard", budget.hard_bytes, scale),
    beyond(budget, scale),
  );
}

function grid({ x, y, width, top }) {
  const lines = [];
  for (let value = 0, by = step(top); value <= top; value += by) {
    lines.push(svg("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }));
    lines.push(svg("text", { x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, value ? bytes(value) : "0"));
  }
  lines.push(svg("text", { x: EDGE.left, y: HEIGHT - 6 }, "3 min ago"));
  lines.push(svg("text", { x: width - EDGE.right, y: HEIGHT - 6, "text-anchor": "end" }, "now"));
  return lines;
}

const line = (part, value, { x, y }) =>
  part.map((point, at) => `${at ? "L" : "M"}${x(point.at).toFixed(1)} ${y(value(point)).toFixed(1)}`).join("");

/** One band for each slot, stacked; the outline on top is what all of them hold. */
function bands(points, scale) {
  const below = (point, slot) => point.slots.slice(0, slot).reduce((sum, held) => sum + held, 0);
  return runs(points).flatMap((part) => {
    const most = Math.max(...part.map((point) => point.slots.length));
    const shapes = Array.from({ length: most }, (_, slot) => {
      const upper = line(part, (point) => below(point, slot + 1), scale);
      const lower = line([...part].reverse(), (point) => below(point, slot), scale).replace("M", "L");
      return svg("path", { class: `band band-${slot % 3}`, d: `${upper}${lower}Z` });
    });
    return [...shapes, svg("path", { class: "slots", d: line(part, total, scale) })];
  });
}

function limit(name, value, { y, width, top }) {
  if (value > top) return [];
  const below = name === "soft";
  return [
    svg("line", { class: `limit ${name}`, x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
    svg("text", { class: `limit-name ${name}`, x: width - EDGE.right, y: y(value) + (below ? 14 : -5), "text-anchor": "end" }, `${name} ${bytes(value)}`),
  ];
}

/** Name at the upper edge the limits that lie above it. */
function beyond(budget, { width, top }) {
  const names = [["soft", budget.soft_bytes], ["hard", budget.hard_bytes]].filter(([, value]) => value > top);
  if (!names.length) return [];
  const parts = names.map(([name, value], at) => svg("tspan", { class: `limit-name ${name}` }, `${at ? ", " : ""}${name} ${bytes(value)}`));
  return svg("text", { class: "beyond", x: width - EDGE.right, y: 11, "text-anchor": "end" }, "\u2191 ", ...parts);
}
