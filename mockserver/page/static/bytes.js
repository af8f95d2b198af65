// Bytes for people: as text with what does not show made visible, and as a hexdump; cuts are marked.

import { h, UNSEEN, nameOfUnseen } from "./dom.js";
import { textOf } from "./wire.js";
import { t } from "./words.js";

const ROW = 16;
export const MOST_SHOWN = 4096;

function lengthOf(lead) {
  if (lead >= 0xf0 && lead < 0xf8) return 4;
  if (lead >= 0xe0) return lead < 0xf0 ? 3 : 1;
  return lead >= 0xc2 ? 2 : 1;
}

// Runs of text and of stray bytes: what is no whole UTF-8 character here stands as bytes.
export function runsOf(bytes) {
  const runs = [];
  let at = 0;
  let plain = 0;
  const flush = (end) => {
    if (end > plain) runs.push({ text: textOf(bytes.subarray(plain, end)) });
  };
  while (at < bytes.length) {
    const wide = bytes[at] < 0x80 ? 1 : lengthOf(bytes[at]);
    const whole = bytes[at] < 0x80 || (wide > 1 && at + wide <= bytes.length
      && bytes.subarray(at + 1, at + wide).every((one) => (one & 0xc0) === 0x80));
    if (whole) {
      at += wide;
      continue;
    }
    flush(at);
    let end = at + 1;
    while (end < bytes.length && (bytes[end] & 0xc0) === 0x80) end += 1;
    runs.push({ stray: bytes.subarray(at, end) });
    at = plain = end;
  }
  flush(bytes.length);
  return runs;
}

export function hex(bytes) {
  return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join(" ");
}

// Text as elements: line ends as marks that keep the line's end, other unseen characters by name.
export function visibleText(text) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(UNSEEN)) {
    if (match.index > at) found.push(text.slice(at, match.index));
    const end = match[0] === "\n";
    found.push(h("span", { class: end ? "unseen end" : "unseen" }, end ? "↵" : nameOfUnseen(match[0])));
    if (end) found.push("\n");
    at = match.index + match[0].length;
  }
  found.push(text.slice(at));
  return found;
}

export function textView(frame, most = MOST_SHOWN) {
  const bytes = frame.bytes.subarray(0, most);
  const parts = runsOf(bytes).map((run) => (run.text !== undefined
    ? visibleText(run.text)
    : h("span", { class: "stray", title: t("no whole UTF-8 character in this frame") }, hex(run.stray))));
  return h("pre", { class: "bytes", tabindex: "0", "aria-label": t("The frame as text") },
    frame.opensInside && h("span", { class: "cut", title: t("the frame begins inside an event") }, "⋯"),
    frame.cutsBefore && h("span", { class: "cut strong" }, t("‹cut inside a character›")),
    parts,
    frame.cutsAfter && h("span", { class: "cut strong" }, t("‹cut inside a character›")),
    frame.closesInside && h("span", { class: "cut", title: t("the event goes on in the next frame") }, "⋯"),
    frame.bytes.length > most && h("span", { class: "cut" }, ` … ${frame.bytes.length - most} ${t("more bytes")}`));
}

export function hexdump(frame, most = 1024) {
  const runs = runsOf(frame.bytes);
  const cuts = [];
  let place = 0;
  for (const run of runs) {
    const length = run.stray ? run.stray.length : new TextEncoder().encode(run.text).length;
    if (run.stray) cuts.push([place, place + length]);
    place += length;
  }
  const stray = (where) => cuts.some(([from, to]) => where >= from && where < to);
  const kindAt = (where) => frame.pieces.find((one) => where >= one.from && where < one.to)?.kind || "other";
  const rows = [];
  const bytes = frame.bytes.subarray(0, most);
  for (let at = 0; at < bytes.length; at += ROW) {
    const line = bytes.subarray(at, at + ROW);
    const cells = [];
    let run = null;
    line.forEach((one, number) => {
      const kind = kindAt(frame.start + at + number);
      const edge = stray(at + number);
      if (!run || run.kind !== kind || run.edge !== edge) cells.push(run = { kind, edge, text: "" });
      run.text += `${one.toString(16).padStart(2, "0")}${number === 7 ? "  " : " "}`;
    });
    const shown = Array.from(line, (one) => (one >= 0x20 && one < 0x7f ? String.fromCharCode(one) : "·")).join("");
    rows.push(h("span", { class: "offset" }, (frame.start + at).toString(16).padStart(6, "0"), "  "),
      cells.map((one) => h("span", { class: one.edge ? "cutbyte" : `ink-${one.kind}` }, one.text)),
      " ".repeat((ROW - line.length) * 3 + (line.length <= 7 ? 1 : 0)), " ", h("span", { class: "ascii" }, shown), "\n");
  }
  if (frame.bytes.length > most) rows.push(`… ${frame.bytes.length - most} ${t("more bytes")}`);
  return h("pre", { class: "hexdump", tabindex: "0", "aria-label": t("The frame as hexdump") }, rows);
}
