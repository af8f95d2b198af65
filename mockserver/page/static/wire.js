// What went over the wire, read from its bytes: which event each byte belongs to, what it carries, where it was cut.

const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();
const NEWLINE = 10;
const RETURN = 13;
export const MOST_EVENTS = 20000;

// What a piece of the wire carries, the weightiest first where an event carries several.
export const KINDS = [
  "error", "broken", "finish", "usage", "tool", "reasoning", "content", "role", "other", "done", "comment", "body",
  "head", "coding",
];

export function textOf(bytes) {
  return DECODER.decode(bytes);
}

function bytesOfSend(send) {
  if (!send.base64) return ENCODER.encode(send.data);
  return Uint8Array.from(atob(send.base64), (one) => one.charCodeAt(0));
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function find(data, mark, from) {
  for (let at = data.indexOf(mark[0], from); at >= 0; at = data.indexOf(mark[0], at + 1)) {
    if (mark.every((one, number) => data[at + number] === one)) return at;
  }
  return -1;
}

// The body in network writes that hold head and chunked coding themselves: spans of the body, and of what is around.
function spansOfWrites(data) {
  const end = find(data, [13, 10, 13, 10], 0);
  if (end < 0) return { body: [], around: [[0, data.length, "head"]] };
  const chunked = /transfer-encoding:\s*chunked/i.test(textOf(data.subarray(0, end)));
  let at = end + 4;
  const around = [[0, at, "head"]];
  if (!chunked) return { body: at < data.length ? [[at, data.length]] : [], around };
  const body = [];
  while (at < data.length) {
    const line = find(data, [13, 10], at);
    const size = line < 0 ? NaN : parseInt(textOf(data.subarray(at, line)), 16);
    if (!(size >= 0)) {
      around.push([at, data.length, "broken"]);
      break;
    }
    const start = line + 2;
    around.push([at, start, "coding"]);
    if (size > 0) body.push([start, Math.min(start + size, data.length)]);
    const after = Math.min(start + size + 2, data.length);
    if (after > start + size) around.push([Math.min(start + size, data.length), after, "coding"]);
    at = after;
    if (size === 0) {
      if (at < data.length) around.push([at, data.length, "coding"]);
      break;
    }
  }
  return { body, around };
}

function formOf(text) {
  const start = text.replace(/^\ufeff?\s*/, "");
  if (/^(data:|event:|id:|retry:|:)/.test(start)) return "sse";
  if (!start) return "";
  const line = start.indexOf("\n");
  const more = line >= 0 && start.slice(line + 1).trim();
  if (/"delta"|chat\.completion\.chunk/.test(start) || (more && parsed(start.slice(0, line)) !== undefined)) return "json-lines";
  return "json";
}

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// What an object of a stream, or a whole completion, says.
export function saidBy(object) {
  const found = { carries: [], text: "", reasoning: "", calls: [], finish: null, usage: null, role: null };
  if (!isObject(object)) return found;
  if (object.error || (!Array.isArray(object.choices) && ("code" in object || "msg" in object || "message" in object))) {
    found.carries.push("error");
  }
  for (const choice of Array.isArray(object.choices) ? object.choices : []) {
    if (!isObject(choice)) continue;
    const said = isObject(choice.delta) ? choice.delta : isObject(choice.message) ? choice.message : {};
    if (typeof choice.finish_reason === "string" && choice.finish_reason) found.finish = choice.finish_reason;
    if (typeof said.role === "string" && said.role) found.role = said.role;
    if (typeof said.content === "string") found.text += said.content;
    const thought = said.reasoning_content ?? said.reasoning ?? choice.reasoning_content;
    if (typeof thought === "string") found.reasoning += thought;
    for (const call of Array.isArray(said.tool_calls) ? said.tool_calls : []) if (isObject(call)) found.calls.push(call);
  }
  if (isObject(object.usage)) found.usage = object.usage;
  if (found.finish) found.carries.push("finish");
  if (found.usage) found.carries.push("usage");
  if (found.calls.length) found.carries.push("tool");
  if (found.reasoning) found.carries.push("reasoning");
  if (found.text) found.carries.push("content");
  if (found.role) found.carries.push("role");
  if (object.blocked === true) found.carries.push("error");
  return found;
}

function eventOf(start, end, text, data) {
  const object = data === null ? undefined : parsed(data);
  const said = saidBy(object);
  let carries = said.carries;
  if (data !== null && data.trim() === "[DONE]") carries = ["done"];
  else if (data !== null && object === undefined) carries = ["broken"];
  else if (!carries.length) carries = ["other"];
  const kind = KINDS.find((one) => carries.includes(one)) || "other";
  return { start, end, text, data, object, said, carries, kind };
}

function eventsOfSse(body, text0) {
  const events = [];
  let start = 0;
  let lines = [];
  let at = 0;
  const close = (end, whole) => {
    const text = textOf(body.subarray(start, end));
    const data = lines.filter((one) => one.startsWith("data:")).map((one) => one.slice(5).replace(/^ /, ""));
    const event = eventOf(start, end, text, data.length ? data.join("\n") : null);
    if (!data.length) event.kind = lines.length ? "comment" : "other";
    if (!data.length) event.carries = [event.kind];
    if (!whole) [event.kind, event.carries, event.unfinished] = ["broken", ["broken"], true];
    events.push(event);
    start = end;
    lines = [];
  };
  if (text0.charCodeAt(0) === 0xfeff) at = 3;
  while (at < body.length && events.length < MOST_EVENTS) {
    let end = at;
    while (end < body.length && body[end] !== NEWLINE && body[end] !== RETURN) end += 1;
    if (end >= body.length) {
      lines.push(textOf(body.subarray(at, end)));
      at = end;
      break;
    }
    const line = textOf(body.subarray(at, end));
    end += body[end] === RETURN && body[end + 1] === NEWLINE ? 2 : 1;
    at = end;
    if (line) lines.push(line);
    else if (lines.length) close(at, true);
  }
  if (start < body.length) {
    if (lines.length) close(body.length, false);
    else if (events.length) events.at(-1).end = body.length;
  }
  return events;
}

function eventsOfLines(body) {
  const events = [];
  let at = 0;
  while (at < body.length && events.length < MOST_EVENTS) {
    let end = body.indexOf(NEWLINE, at);
    const whole = end >= 0;
    end = whole ? end + 1 : body.length;
    while (end < body.length && (body[end] === NEWLINE || body[end] === RETURN)) end += 1;
    const text = textOf(body.subarray(at, end));
    const line = text.trim();
    const event = eventOf(at, end, text, line.startsWith("data:") ? line.slice(5).trim() : line);
    if (!line) [event.kind, event.carries] = ["other", ["other"]];
    if (!whole && event.kind === "broken") event.unfinished = true;
    events.push(event);
    at = end;
  }
  return events;
}

// How many events a reader of server-sent events, such as the OpenAI SDK, hears of a body.
function heardBySse(form, events, body) {
  if (form === "sse") return events.filter((one) => one.data !== null && one.kind !== "done" && !one.unfinished).length;
  return /^data:/m.test(textOf(body.subarray(0, 1 << 20))) ? events.length : 0;
}

// Everything the views need of an answer's bytes.
export function readWire(response) {
  const parts = response.sends.map(bytesOfSend);
  const all = joined(parts);
  const { body: spans, around } = response.raw ? spansOfWrites(all) : { body: [[0, all.length]], around: [] };
  const body = response.raw ? joined(spans.map(([start, end]) => all.subarray(start, end))) : all;
  const coding = response.headers.find(([name]) => name.toLowerCase() === "content-encoding")?.[1];
  const packed = Boolean(coding) && coding !== "identity";
  const text = textOf(body);
  const form = packed ? "packed" : formOf(text);
  let events = [];
  if (form === "sse") events = eventsOfSse(body, text);
  else if (form === "json-lines") events = eventsOfLines(body);
  else if (form) {
    const one = eventOf(0, body.length, packed ? "" : text, packed ? null : text);
    if (packed) [one.kind, one.carries] = ["body", ["body"]];
    else if (one.kind !== "error" && one.kind !== "broken") [one.kind, one.carries] = ["body", ["body", ...one.carries]];
    events = [one];
  }
  const whereBody = bodyPlaces(spans);
  for (const event of events) [event.from, event.to] = [whereBody(event.start), whereBody(event.end - 1) + 1];
  const frames = framesOf(response, parts, events, around, all, response.raw ? spans : null);
  const chunked = form === "sse" || form === "json-lines";
  return {
    all, body, form, events, frames, packed,
    writes: writesOf(response, frames),
    size: body.length,
    said: together(events),
    miscoded: around.some(([, , kind]) => kind === "broken"),
    done: events.some((one) => one.kind === "done"),
    heard: chunked ? heardBySse(form, events, body) : null,
    chunks: chunked ? events.filter((one) => isObject(one.object)).length : null,
  };
}

function bodyPlaces(spans) {
  return (at) => {
    let before = 0;
    for (const [start, end] of spans) {
      if (at < before + end - start) return start + at - before;
      before += end - start;
    }
    return spans.length ? spans.at(-1)[1] : 0;
  };
}

// Each frame: its pieces by what they carry, and whether it begins or ends inside a character or an event.
function framesOf(response, parts, events, around, all, spans) {
  const marks = [...around.map(([from, to, kind]) => ({ from, to, kind, carries: [kind] })), ...events]
    .sort((one, other) => one.from - other.from);
  const frames = [];
  let at = 0;
  let first = 0;
  parts.forEach((part, number) => {
    const [start, end] = [at, at + part.length];
    const pieces = [];
    while (first < marks.length && marks[first].to <= start) first += 1;
    for (let index = first; index < marks.length && marks[index].from < end; index += 1) {
      const mark = marks[index];
      if (mark.to <= start) continue;
      const piece = { from: Math.max(mark.from, start), to: Math.min(mark.to, end), kind: mark.kind, carries: mark.carries };
      piece.opens = mark.from >= start;
      piece.closes = mark.to <= end;
      pieces.push(piece);
    }
    const inBody = (where) => !spans || spans.some(([one, other]) => where > one && where < other);
    const cutCharacter = (where) => where > 0 && where < all.length && (all[where] & 0xc0) === 0x80 && inBody(where);
    frames.push({
      number, start, end, pieces, bytes: part, at: response.sends[number].at_ms,
      kinds: [...new Set(pieces.flatMap((one) => one.carries))],
      kind: KINDS.find((kind) => pieces.some((one) => one.kind === kind)) || "other",
      cutsBefore: cutCharacter(start), cutsAfter: cutCharacter(end),
      opensInside: pieces.length > 0 && !pieces[0].opens && pieces[0].from === start,
      closesInside: pieces.length > 0 && !pieces.at(-1).closes,
    });
    at = end;
  });
  return frames;
}

// The network writes: as noted when they left; where that is not known, each frame is one.
function writesOf(response, frames) {
  const noted = response.writes || [];
  if (!noted.length) return frames.map((one) => ({ at: one.at, planned: one.at, frames: [one] }));
  const writes = [];
  let from = 0;
  for (const { at_ms: at, frames_sent: to } of noted) {
    if (to > from && from < frames.length) writes.push({ at, planned: frames[from]?.at ?? at, frames: frames.slice(from, to) });
    from = to;
  }
  if (from < frames.length) writes.push({ at: frames[from].at, planned: frames[from].at, frames: frames.slice(from) });
  return writes;
}

// The answer as a careful client reads it.
function together(events) {
  const said = { text: "", reasoning: "", calls: [], finish: null, usage: null, role: null, error: null, blocked: false };
  const calls = new Map();
  for (const { object, said: one } of events) {
    said.text += one.text;
    said.reasoning += one.reasoning;
    said.finish = one.finish ?? said.finish;
    said.usage = one.usage ?? said.usage;
    said.role = said.role ?? one.role;
    if (isObject(object) && object.blocked === true) said.blocked = true;
    if (one.carries.includes("error") && isObject(object) && !said.error && !object.blocked) said.error = object;
    one.calls.forEach((call, number) => {
      const key = Number.isInteger(call.index) ? call.index : number;
      const known = calls.get(key) || { id: "", name: "", arguments: "" };
      known.id ||= String(call.id ?? "");
      known.name ||= String(call.function?.name ?? "");
      known.arguments += typeof call.function?.arguments === "string" ? call.function.arguments : "";
      calls.set(key, known);
    });
  }
  said.calls = [...calls.values()];
  return said;
}
