// One exchange: what the client gets, why it may not, the time line, the frames, the request.

import { h, put, button, copied, shown, short, milliseconds, bytesText } from "./dom.js";
import { readWire, parsed } from "./wire.js";
import { timeLine, legend, isSpread, spanOf, kindName } from "./timeline.js";
import { textView, hexdump, visibleText } from "./bytes.js";
import { curlOf, pythonOf, pytestOf } from "./code.js";
import { t, sentence } from "./words.js";

const FIRST_FRAMES = 200;
const MOST_TEXT = 20000;
const MOST_TREE = 400;

export function endingName(exchange) {
  if (exchange.ending === null) return t("in flight");
  const names = { complete: "complete", cut: "cut", reset: "reset", hang: "hang" };
  return exchange.client_left ? t("client left") : t(names[exchange.ending] || exchange.ending);
}

export function endingClass(exchange) {
  if (exchange.ending === null) return "running";
  if (exchange.ending === "complete" && !exchange.client_left) return "good";
  return exchange.client_left ? "warn" : "bad";
}

export function statusClass(status) {
  if (!status) return "bad";
  return status < 300 ? "good" : status < 500 ? "warn" : "bad";
}

export function tag(text, kind = "", title = "") {
  return h("span", { class: `tag ${kind}`, title: title || null }, shown(short(text, 90)));
}

export function section(title, ...children) {
  return h("section", { class: "panel" }, title && h("h2", {}, title), children);
}

// Why a client may show nothing, or less than was sent: one or no sentence, the weightiest.
export function warningOf(exchange, wire) {
  if (exchange.status !== 200) return null;
  if (wire.miscoded) return [t("The chunked coding of this answer is broken."), t("A client stops there with an error; what it has shown until then stays half an answer.")];
  if (wire.chunks === null) return null;
  const pieces = wire.events.filter((one) => one.said.text).length;
  if (wire.heard === 0 && wire.chunks > 0) {
    return [t("A reader of server-sent events hears nothing of this answer."),
      t("The OpenAI SDK yields 0 of its {chunks} chunks, {pieces} of which carry content, and raises no error: it looks for lines that begin with data: and these are bare JSON lines.", { chunks: wire.chunks, pieces })];
  }
  if (wire.events.some((one) => one.unfinished)) {
    return [t("The answer ends inside an event."), t("What came of it is read by no client, and most say nothing of it.")];
  }
  if (exchange.ending === "complete" && wire.said.finish === null && wire.events.length) {
    return [t("The answer ends without finish_reason."), t("A client that does not look for it takes it for whole.")];
  }
  const broken = wire.events.filter((one) => one.kind === "broken").length;
  if (broken) return [t("Something in this answer cannot be read."), t("{broken} of its events are no JSON.", { broken })];
  return null;
}

function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value, kind]) =>
    h("div", {}, h("dt", {}, name), h("dd", { class: kind || null }, value))));
}

function headOf(exchange, wire) {
  const writes = wire.writes;
  const gaps = writes.slice(1).map((one, number) => one.at - writes[number].at).sort((a, b) => a - b);
  return h("div", { class: "head" },
    h("p", { class: "path" }, h("b", {}, exchange.request.method), " ", shown(exchange.request.path + (exchange.request.query ? `?${exchange.request.query}` : ""))),
    facts([
      [t("status"), String(exchange.status ?? "–"), statusClass(exchange.status)],
      [t("ending"), endingName(exchange), endingClass(exchange)],
      [t("wire form"), wire.form || t("empty")],
      [t("frames"), exchange.frames_sent === exchange.frames_planned ? String(exchange.frames_sent)
        : `${exchange.frames_sent} ${t("of")} ${exchange.frames_planned}`],
      [t("writes"), String(writes.length)],
      [t("bytes"), bytesText(wire.all.length)],
      ["TTFT", milliseconds(writes[0]?.at ?? null)],
      gaps.length > 0 && [t("gap, median"), milliseconds(gaps[Math.floor(gaps.length / 2)])],
      gaps.length > 0 && [t("gap, longest"), milliseconds(gaps.at(-1))],
      [t("in all"), milliseconds(exchange.duration_ms)],
    ]),
    h("p", { class: "tags" },
      exchange.faults.map((one) => tag(one, "fault", t("a fault acted"))),
      exchange.source && tag(exchange.source, "", t("where the answer came from")),
      exchange.request.headers["x-mock-quirks"] && tag(exchange.request.headers["x-mock-quirks"], "quirk")));
}

function answerPanel(exchange, wire) {
  const { said } = wire;
  const parts = [];
  if (exchange.detail) parts.push(h("p", { class: "said refusal" }, visibleText(exchange.detail)));
  if (said.reasoning) parts.push(h("details", { class: "reasoning" }, h("summary", {}, t("reasoning")), h("p", { class: "said" }, shown(said.reasoning.slice(0, MOST_TEXT), "\n\t"))));
  if (said.text) {
    parts.push(h("p", { class: "said", dir: "auto" }, shown(said.text.slice(0, MOST_TEXT), "\n\t")));
    if (said.text.length > MOST_TEXT) parts.push(h("p", { class: "dim" }, `… ${said.text.length - MOST_TEXT} ${t("more characters")}`));
  }
  for (const call of said.calls) {
    parts.push(h("div", { class: "call" }, h("b", {}, shown(call.name) || "?"), h("code", { class: "dim" }, ` ${shown(call.id)}`),
      tree(parsed(call.arguments) ?? call.arguments)));
  }
  if (said.error) parts.push(tree(said.error));
  if (!parts.length) parts.push(h("p", { class: "dim" }, wire.all.length ? t("It says nothing that a client could show.") : t("Nothing was sent.")));
  const usage = said.usage;
  parts.push(facts([
    said.finish && ["finish_reason", shown(said.finish)],
    said.blocked && ["blocked", "true", "bad"],
    usage && ["usage", Object.entries(usage).filter(([, value]) => typeof value === "number").map(([name, value]) => `${name.replace("_tokens", "")} ${value}`).join(" · ")],
    wire.chunks !== null && [t("chunks"), String(wire.chunks)],
    wire.heard !== null && [t("heard by an SSE client"), String(wire.heard), wire.heard < wire.chunks ? "bad" : "good"],
    wire.chunks !== null && ["[DONE]", wire.done ? t("sent") : t("not sent"), wire.done ? null : "warn"],
  ]));
  const warning = warningOf(exchange, wire);
  return [
    warning && h("div", { class: "warning", role: "note" }, h("b", {}, warning[0]), " ", warning[1]),
    section(t("The answer, as a careful client reads it"), parts),
  ];
}

export function claimRow(one) {
  return h("tr", {},
    h("th", { scope: "row", class: "name" }, h("code", {}, one.name)),
    h("td", {}, sentence(one.says)),
    h("td", {}, h("span", { class: `claim ${one.claim}` }, t(one.claim))),
    h("td", { class: "dim" }, one.source));
}

function claimsPanel(exchange) {
  if (!exchange.claims) return null;
  const claims = exchange.claims.filter((one) => !(exchange.stream && one.name.startsWith("body-")));
  const title = `${t("What differs from the standard")}${exchange.chip ? ` ${t("on")} ${exchange.chip}` : ""}`;
  if (!claims.length) return section(title, h("p", { class: "dim" }, t("Nothing: this chip speaks as the standard has it.")));
  return section(title, h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": title }, h("table", { class: "claims" },
    h("thead", {}, h("tr", {}, [t("quirk"), t("what it does"), t("claim"), t("source")].map((one) => h("th", { scope: "col" }, one)))),
    h("tbody", {}, claims.map(claimRow)))));
}

export function frameDetail(frame) {
  const written = frame.kinds.map(kindName).join(" · ");
  return [
    h("p", { class: "frame-title" }, h("b", {}, `${t("frame")} ${frame.number + 1}`), ` · ${milliseconds(frame.at)} · ${bytesText(frame.bytes.length)} · `,
      h("i", { class: `dot kind-${frame.kind}` }), written,
      (frame.cutsAfter || frame.cutsBefore) && h("span", { class: "tag fault" }, t("cut inside a character")),
      frame.closesInside && h("span", { class: "tag" }, t("the event goes on in the next frame"))),
    h("div", { class: "two" }, textView(frame), hexdump(frame)),
  ];
}

// The time lines of one or several exchanges on one scale, with what is chosen below.
export function timeLines(wires, names = []) {
  const place = h("div", { class: "timelines" });
  const detail = h("div", { class: "frame-detail", "aria-live": "polite" }, h("p", { class: "dim" }, t("Point at a write to see its bytes.")));
  let by = isSpread(wires) ? "time" : "order";
  let width = 0;
  const draw = () => {
    const span = spanOf(wires, by);
    put(place, wires.map((wire, number) => {
      const { drawing } = timeLine(wire, {
        by, span, width, label: names[number],
        chosen: (frame) => put(detail, frameDetail(frame)),
      });
      return [names[number] && h("p", { class: "lane-name" }, names[number]), drawing];
    }));
  };
  const switcher = h("div", { class: "switch", role: "group", "aria-label": t("What the axis shows") },
    ["order", "time"].map((one) => button(t(one), () => {
      by = one;
      mark();
      draw();
    }, { "data-by": one })));
  const mark = () => switcher.querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.by === by)));
  mark();
  const observer = new ResizeObserver(([entry]) => {
    const wide = Math.max(280, Math.floor(entry.contentRect.width));
    if (wide !== width) {
      width = wide;
      draw();
    }
  });
  observer.observe(place);
  const show = (wire, number) => put(detail, frameDetail(wire.frames[number]));
  if (wires.length === 1 && wires[0].frames.length) {
    const cut = wires[0].frames.find((one) => one.cutsAfter || one.kind === "broken" || one.kind === "error");
    show(wires[0], (cut || wires[0].frames[0]).number);
  }
  return { element: h("div", {}, h("div", { class: "bar" }, legend(wires), switcher), place, detail), show };
}

function framesPanel(wire, show, left) {
  const body = h("tbody", {});
  let drawn = 0;
  const more = h("p", { class: "more" });
  const draw = (count) => {
    for (const frame of wire.frames.slice(drawn, count)) {
      const before = wire.frames[frame.number - 1];
      body.append(h("tr", {},
        h("td", { class: "num" }, button(String(frame.number + 1), () => show(frame), { class: "link", "aria-label": `${t("frame")} ${frame.number + 1}` })),
        h("td", { class: "num" }, frame.at.toFixed(1)),
        h("td", { class: "num dim" }, before ? `+${(frame.at - before.at).toFixed(1)}` : ""),
        h("td", { class: "num" }, String(frame.bytes.length)),
        h("td", { class: "carries" }, h("i", { class: `dot kind-${frame.kind}` }), frame.kinds.map(kindName).join(" · ")),
        h("td", { class: "says" }, saysOf(wire, frame)),
        h("td", { class: "text" }, h("code", {}, textOfFrame(frame)))));
    }
    drawn = Math.min(count, wire.frames.length);
    put(more, drawn < wire.frames.length && button(`${t("show more")} (${wire.frames.length - drawn})`, () => draw(drawn + 1000)));
  };
  draw(FIRST_FRAMES);
  return section(t("Frames"), h("div", { class: "wide frames", tabindex: "0", role: "region", "aria-label": t("Frames") }, h("table", {},
    h("thead", {}, h("tr", {}, ["#", t("at ms"), t("gap"), t("bytes"), t("carries"), t("says"), t("raw")].map((one, at) => h("th", { scope: "col", class: at < 4 ? "num" : null }, one)))),
    body)), more,
    left > 0 && h("p", { class: "dim" }, `${left} ${t("more frames were sent; of so long a stream the first are shown")}`));
}

// What the events that end in a frame say, in a word.
function saysOf(wire, frame) {
  const ended = wire.events.filter((one) => one.to > frame.start && one.to <= frame.end);
  const said = ended.map(({ said: one, kind }) => one.text || one.reasoning || one.calls.map((call) => call.function?.arguments || call.function?.name || "").join("") || (kind === "finish" ? one.finish : ""));
  return shown(short(said.filter(Boolean).join(" "), 40));
}

function textOfFrame(frame) {
  return shown(new TextDecoder().decode(frame.bytes.subarray(0, 240)));
}

export function tree(value, depth = 0, budget = { left: MOST_TREE }) {
  if (typeof value !== "object" || value === null) {
    const text = typeof value === "string" ? JSON.stringify(short(value, 4000)) : String(value);
    return h("span", { class: `json-${value === null ? "null" : typeof value}` }, shown(text));
  }
  const entries = Object.entries(value);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (!entries.length) return h("span", {}, open + close);
  const rows = [];
  for (const [name, one] of entries) {
    budget.left -= 1;
    if (budget.left < 0) {
      rows.push(h("li", { class: "dim" }, `… ${t("more")}`));
      break;
    }
    rows.push(h("li", {}, !Array.isArray(value) && h("span", { class: "json-key" }, `${shown(name)}: `), tree(one, depth + 1, budget)));
  }
  const list = h("ul", { class: "json" }, rows);
  if (depth === 0) return list;
  return h("details", { open: depth < 4 }, h("summary", {}, `${open} ${entries.length} ${close}`), list);
}

export function copyButton(text, label = t("copy")) {
  const made = button(label, async () => {
    await copied(typeof text === "function" ? text() : text);
    made.textContent = t("copied");
    setTimeout(() => { made.textContent = label; }, 1200);
  }, { class: "quiet" });
  return made;
}

export function codeTabs(texts) {
  const names = Object.keys(texts);
  const shownText = h("pre", { class: "code", tabindex: "0" });
  const tabs = h("div", { class: "switch", role: "group", "aria-label": t("Language") });
  let current = names[0];
  const choose = (name) => {
    current = name;
    shownText.textContent = texts[name];
    tabs.querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", String(one.textContent === name)));
  };
  tabs.append(...names.map((name) => button(name, () => choose(name))));
  choose(current);
  return h("div", { class: "codetabs" }, h("div", { class: "bar" }, tabs, copyButton(() => texts[current])), shownText);
}

function headersTable(pairs) {
  if (!pairs.length) return null;
  return h("table", { class: "headers" }, h("tbody", {}, pairs.map(([name, value]) =>
    h("tr", {}, h("th", { scope: "row" }, shown(name)), h("td", {}, shown(String(value)))))));
}

function requestPanel(exchange) {
  const body = exchange.request.body;
  const json = body.length < 300000 ? parsed(body) : undefined;
  return section(t("Request"), headersTable(Object.entries(exchange.request.headers)),
    json === undefined ? h("pre", { class: "bytes", tabindex: "0" }, visibleText(body.slice(0, MOST_TEXT)), body.length > MOST_TEXT && ` … ${body.length - MOST_TEXT} ${t("more characters")}`)
      : [tree(json), h("details", {}, h("summary", {}, t("raw")), h("pre", { class: "bytes", tabindex: "0" }, visibleText(body.slice(0, MOST_TEXT))))]);
}

// Everything of an exchange; `actions` are what only a live page can do with it.
export function exchangeView(exchange, { origin = "http://127.0.0.1:8777", actions = null } = {}) {
  const wire = readWire(exchange.response);
  const lines = timeLines([wire]);
  const picked = (frame) => {
    lines.show(wire, frame.number);
    lines.element.scrollIntoView({ block: "nearest" });
  };
  return h("article", { class: "exchange", "aria-label": `${t("Exchange")} ${exchange.number}` },
    headOf(exchange, wire), actions,
    answerPanel(exchange, wire),
    wire.frames.length > 0 && section(t("On the wire"), lines.element),
    claimsPanel(exchange),
    requestPanel(exchange),
    section(t("Response headers"), headersTable(exchange.response.headers) || h("p", { class: "dim" }, t("none"))),
    wire.frames.length > 0 && framesPanel(wire, picked, exchange.response.left_out || 0),
    exchange.request.method === "POST" && section(t("Do the same"), codeTabs({
      curl: curlOf(exchange.request, origin),
      Python: pythonOf(exchange.request, origin),
      pytest: pytestOf(exchange, wire.said.text),
    })));
}
