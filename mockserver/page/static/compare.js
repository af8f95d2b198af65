// Two exchanges side by side, chunk by chunk; what only one of them has is marked.

import { h, shown, bytesText, milliseconds, short } from "./dom.js";
import { readWire } from "./wire.js";
import { aligned, textRuns } from "./align.js";
import { kindName } from "./timeline.js";
import { visibleText } from "./bytes.js";
import { section, timeLines, tag, warningOf, endingName, endingClass, statusClass } from "./exchange.js";
import { t } from "./words.js";

const MOST_ROWS = 400;
const MOST_LETTERS = 3000;

export function nameOf(exchange) {
  return exchange.title || [exchange.chip || exchange.request.path, exchange.number ? `#${exchange.number}` : ""].filter(Boolean).join(" ");
}

// What an event is about, so that the same chunk of two streams meets itself whatever its form.
function keyOf(event) {
  const { said } = event;
  if (event.kind === "body") return "body";
  return JSON.stringify([event.kind, said.text, said.reasoning, said.finish, said.calls.map((one) => one.function?.arguments ?? "")]);
}

function headersOf(exchange) {
  return new Map(exchange.response.headers.map(([name, value]) => [name.toLowerCase(), String(value)]));
}

function keysOf(wire) {
  const found = new Set();
  const walk = (value, path) => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, one] of Object.entries(value)) {
      const next = Array.isArray(value) ? `${path}[]` : path ? `${path}.${name}` : name;
      if (!Array.isArray(value)) found.add(next);
      walk(one, next);
    }
  };
  for (const event of wire.events) walk(event.object, "");
  return found;
}

function inHowMany(wire, key) {
  return wire.events.filter((one) => one.object && typeof one.object === "object" && key in one.object).length;
}

// Rows [what, here, there], only those that differ.
export function differences([one, other], [a, b]) {
  const rows = [
    [t("status"), String(one.status ?? "–"), String(other.status ?? "–")],
    [t("wire form"), a.form || t("empty"), b.form || t("empty")],
    [t("ending"), endingName(one), endingName(other)],
    [t("chunks"), String(a.chunks ?? "–"), String(b.chunks ?? "–")],
    [t("heard by an SSE client"), String(a.heard ?? "–"), String(b.heard ?? "–")],
    ["[DONE]", a.done ? t("sent") : t("not sent"), b.done ? t("sent") : t("not sent")],
    [t("text"), JSON.stringify(short(a.said.text, 200)), JSON.stringify(short(b.said.text, 200))],
    ["finish_reason", a.said.finish ?? "–", b.said.finish ?? "–"],
    [t("bytes"), bytesText(a.size), bytesText(b.size)],
  ];
  const [mine, its] = [headersOf(one), headersOf(other)];
  for (const name of new Set([...mine.keys(), ...its.keys()])) {
    if (/^(date|traceresponse|x-maas-request-id|x-request-id)$/.test(name) && mine.has(name) === its.has(name)) continue;
    rows.push([name, mine.get(name) ?? "–", its.get(name) ?? "–"]);
  }
  if (a.chunks && b.chunks) {
    for (const key of new Set([...keysOf(a), ...keysOf(b)])) {
      if (!key.includes(".")) rows.push([`${t("chunks with")} ${key}`, `${inHowMany(a, key)} ${t("of")} ${a.chunks}`, `${inHowMany(b, key)} ${t("of")} ${b.chunks}`]);
    }
  }
  return rows.filter(([, here, there]) => here !== there);
}

function cell(event, runs) {
  if (!event) return h("div", { class: "cell gap" }, h("span", { class: "dim" }, t("nothing here")));
  return h("div", { class: "cell" },
    h("span", { class: "cell-kind" }, h("i", { class: `dot kind-${event.kind}` }), event.carries.map(kindName).join(" · ")),
    h("pre", {}, runs.map(([text, common]) => (common ? h("span", {}, visibleText(text)) : h("mark", {}, visibleText(text))))));
}

// By what events are about; where the two say different things, by what kind of event it is.
function rowsOf(mine, its) {
  const rows = aligned(mine.map(keyOf), its.map(keyOf));
  const shared = rows.some(([i, j]) => i >= 0 && j >= 0 && mine[i].said.text);
  const both = [mine, its].every((events) => events.some((one) => one.said.text));
  return shared || !both ? rows : aligned(mine.map((one) => one.kind), its.map((one) => one.kind));
}

export function bytesSideBySide([a, b]) {
  const rows = rowsOf(a.events, b.events).slice(0, MOST_ROWS);
  return h("div", { class: "sides" }, rows.map(([i, j]) => {
    const [mine, its] = [a.events[i], b.events[j]];
    const texts = [mine, its].map((one) => (one ? one.text.slice(0, MOST_LETTERS) : ""));
    const runs = mine && its ? textRuns(...texts) : texts.map((text) => [[text, true]]);
    return h("div", { class: `side-row ${mine && its ? "" : "alone"}` }, cell(mine, runs[0]), cell(its, runs[1]));
  }));
}

function sideHead(exchange, wire) {
  const warning = warningOf(exchange, wire);
  return h("div", { class: "side-head" },
    h("h2", {}, nameOf(exchange)),
    h("p", {}, h("b", { class: statusClass(exchange.status) }, String(exchange.status ?? "–")), " · ",
      h("span", { class: endingClass(exchange) }, endingName(exchange)), ` · ${wire.form || t("empty")} · ${bytesText(wire.all.length)} · ${milliseconds(exchange.duration_ms)} `,
      exchange.faults.map((one) => tag(one, "fault"))),
    wire.said.text && h("p", { class: "said small", dir: "auto" }, shown(short(wire.said.text, 300), "\n")),
    warning && h("div", { class: "warning small" }, h("b", {}, warning[0])));
}

export function comparison(one, other) {
  const pair = [one, other];
  const wires = pair.map((exchange) => readWire(exchange.response));
  const rows = differences(pair, wires);
  const lines = timeLines(wires, pair.map(nameOf));
  return h("article", { class: "comparison", "aria-label": t("Comparison") },
    h("div", { class: "sides heads" }, pair.map((exchange, number) => sideHead(exchange, wires[number]))),
    section(t("What differs"), rows.length ? h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": t("What differs") }, h("table", { class: "differs" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), pair.map((exchange) => h("th", { scope: "col" }, nameOf(exchange))))),
      h("tbody", {}, rows.map(([name, here, there]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, shown(here)), h("td", {}, shown(there)))))))
      : h("p", { class: "dim" }, t("Nothing: head, bytes and chunks are the same."))),
    section(t("On the wire"), lines.element),
    section(t("Byte by byte"), bytesSideBySide(wires)));
}
