// The time line of the wire: every network write at its time, coloured by what it carries.

import { h, svg, milliseconds, bytesText } from "./dom.js";
import { t } from "./words.js";

const HEIGHT = 104;
const TOP = 10;
const LANE = 58;
const BASE = TOP + LANE;
const SPREAD_MS = 4;
const MOST_BARS = 1500;

// Whether times tell more than the order: where all left at once they do not.
export function isSpread(wires) {
  return wires.some((wire) => {
    const writes = wire.writes;
    return writes.length > 2 && writes.at(-1).at - writes[0].at > SPREAD_MS;
  });
}

export function spanOf(wires, by) {
  if (by === "order") return Math.max(1, ...wires.map((one) => one.frames.length));
  return Math.max(1, ...wires.flatMap((one) => [one.writes.at(-1)?.at ?? 0, one.frames.at(-1)?.at ?? 0]));
}

function steps(most) {
  const raw = most / 8;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, number) => number * step);
}

// Draws one lane; `chosen` is told of the frame that is hovered, clicked or reached by the arrow keys.
export function timeLine(wire, { by, span, width, chosen, label }) {
  const inner = width - 24;
  const x = (value) => 12 + (value / span) * inner;
  const most = Math.max(...wire.frames.map((one) => one.bytes.length), 1);
  const tall = (count) => Math.max(6, Math.round(LANE * Math.sqrt(count / most)));
  const bars = [];
  const every = Math.max(1, Math.ceil(wire.frames.length / MOST_BARS));
  const slot = inner / span;
  let selected = -1;

  const bar = (frame, left, wide, number) => {
    const height = tall(frame.bytes.length);
    const whole = frame.bytes.length || 1;
    let y = BASE - height;
    const parts = frame.pieces.map((piece) => {
      const share = Math.max(1, height * ((piece.to - piece.from) / whole));
      const part = svg("rect", { x: left, y, width: wide, height: share, class: `kind-${piece.kind}` });
      y += share;
      return part;
    });
    if (!parts.length) parts.push(svg("rect", { x: left, y: BASE - 4, width: wide, height: 4, class: "kind-other" }));
    if (frame.cutsAfter || frame.cutsBefore) {
      parts.push(svg("path", { d: `M${left + wide / 2 - 4} ${BASE + 3}l4 6l4 -6z`, class: "cut-mark" }));
    }
    return svg("g", { class: "write", "data-frame": number },
      svg("rect", { x: left - 1, y: TOP, width: wide + 2, height: LANE, class: "reach" }), parts);
  };

  const grid = [];
  if (by === "order") {
    const wide = Math.max(1.5, Math.min(22, slot - (slot > 4 ? 2 : 0.5)));
    wire.frames.forEach((frame, number) => {
      if (number % every === 0) bars.push(bar(frame, x(number) + (slot - wide) / 2, wide, number));
    });
    let at = 0;
    for (const write of wire.writes) {
      const [from, to] = [x(at) + 1, x(at + write.frames.length) - 1];
      if (to > from) {
        grid.push(svg("path", { d: `M${from} ${BASE + 12}v4H${to}v-4`, class: "bracket" }));
        if (to - from > 64) {
          grid.push(svg("text", { x: (from + to) / 2, y: BASE + 29, class: "axis", "text-anchor": "middle" },
            milliseconds(write.at)));
        }
      }
      at += write.frames.length;
    }
  } else {
    for (const step of steps(span)) {
      grid.push(svg("line", { x1: x(step), x2: x(step), y1: TOP, y2: BASE + 4, class: "tick" }));
      grid.push(svg("text", { x: x(step), y: BASE + 29, class: "axis", "text-anchor": step === 0 ? "start" : "middle" },
        milliseconds(step).replace(".00", "").replace(".0", "")));
    }
    const wide = Math.max(2.5, Math.min(9, inner / (wire.writes.length * 1.6 || 1)));
    for (const write of wire.writes) {
      const frame = write.frames[0];
      if (frame.number % every !== 0 && write.frames.length === 1) continue;
      const merged = write.frames.length === 1 ? frame : {
        ...frame, pieces: write.frames.flatMap((one) => one.pieces), bytes: { length: write.frames.reduce((sum, one) => sum + one.bytes.length, 0) },
      };
      bars.push(bar(merged, Math.min(x(write.at), width - 12 - wide), wide, frame.number));
      if (Math.abs(write.planned - write.at) > span / 300) {
        grid.push(svg("line", { x1: x(write.planned), x2: x(write.planned), y1: BASE + 3, y2: BASE + 11, class: "planned" }));
      }
    }
  }
  const drawing = svg("svg", {
    class: "timeline", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "group", tabindex: "0",
    "aria-label": label || `${t("Time line of the wire")}: ${wire.frames.length} ${t("frames")}, ${bytesText(wire.size)}. ${t("Arrow keys choose a frame.")}`,
  },
    svg("line", { x1: 12, x2: width - 12, y1: BASE + 0.5, y2: BASE + 0.5, class: "ground" }), grid, bars);

  const choose = (number, keep) => {
    if (number < 0 || number >= wire.frames.length) return;
    drawing.querySelector(".write.on")?.classList.remove("on");
    const places = [...drawing.querySelectorAll(".write")];
    const place = places.findLast((one) => Number(one.dataset.frame) <= number);
    place?.classList.add("on");
    selected = number;
    chosen?.(wire.frames[number], keep);
  };
  const aim = (keep) => (event) => {
    const place = event.target.closest(".write");
    if (place) choose(Number(place.dataset.frame), keep);
  };
  drawing.addEventListener("pointerover", aim(false));
  drawing.addEventListener("click", aim(true));
  drawing.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (way === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    choose(Math.min(Math.max(selected + way, 0), wire.frames.length - 1), true);
  });
  return { drawing, choose };
}

// A journal row's stream in miniature: when its writes left, or how far it is.
export function spark(row, width = 92, height = 16) {
  const last = Math.max(row.ticks.at(-1) ?? 0, row.ending === null ? row.duration_ms : 0, 0.001);
  const spread = row.ticks.length > 2 && last > SPREAD_MS;
  const share = row.frames_planned ? row.frames_sent / row.frames_planned : 0;
  const kind = row.ending === null ? "running" : row.ending === "complete" && !row.client_left ? "whole" : "partial";
  const marks = spread
    ? row.ticks.map((at) => svg("rect", { x: 1 + (at / last) * (width - 4), y: 3, width: 1.6, height: height - 6 }))
    : svg("rect", { x: 1, y: 5, width: Math.max(1.5, share * (width - 2)), height: height - 10, rx: 1 });
  return svg("svg", { class: `spark ${kind}`, width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    svg("line", { x1: 0, x2: width, y1: height - 1.5, y2: height - 1.5, class: "ground" }), marks);
}

const NAMED = {
  role: "role", content: "content", reasoning: "reasoning", tool: "tool call", finish: "finish", usage: "usage",
  done: "[DONE]", comment: "comment", error: "error", broken: "broken", body: "whole body", other: "other",
  head: "HTTP head", coding: "chunk coding",
};

export function kindName(kind) {
  return t(NAMED[kind] || kind);
}

// Whether a write left noticeably later than it was planned.
function isOff(wire) {
  const span = spanOf([wire], "time");
  return isSpread([wire]) && wire.writes.some((one) => Math.abs(one.planned - one.at) > span / 300);
}

export function legend(wires) {
  const seen = new Set(wires.flatMap((wire) => wire.frames.flatMap((one) => one.pieces.map((piece) => piece.kind))));
  const also = new Set(wires.flatMap((wire) => wire.frames.flatMap((one) => one.kinds)));
  const cut = wires.some((wire) => wire.frames.some((one) => one.cutsAfter || one.cutsBefore));
  const told = Object.keys(NAMED).filter((kind) => seen.has(kind) || (kind === "usage" && also.has(kind)));
  return h("ul", { class: "legend", "aria-label": t("What a write carries") },
    told.map((kind) => h("li", {}, h("i", { class: `dot kind-${kind}` }), kindName(kind))),
    wires.some(isOff) && h("li", {}, h("i", { class: "plannedmark" }), t("when it was planned, where it left otherwise")),
    cut && h("li", {}, h("i", { class: "cutmark" }, "▼"), t("cut inside a character")));
}
