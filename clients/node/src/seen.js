// An exchange that a mock saw, as a value and as a line for people.

import { advised } from "./advice.js";

const SHOWN_CHARACTERS = 160;
const SHOWN_NUMBERS = 10;

/** An exchange from the JSON that the control API gives with `frames=true`. */
export function seenExchange(data) {
  const { request, response } = data;
  return {
    number: data.number,
    atMs: data.at_ms,
    durationMs: data.duration_ms,
    method: request.method,
    path: request.path,
    query: request.query,
    requestHeaders: request.headers,
    requestBody: request.body,
    request: object(request.body),
    model: data.model,
    chip: data.chip,
    stream: data.stream,
    status: data.status,
    source: data.source,
    detail: data.detail,
    faults: data.faults,
    seed: data.seed,
    ending: data.ending,
    inFlight: data.ending === null,
    clientLeft: data.client_left,
    framesPlanned: data.frames_planned,
    framesSent: data.frames_sent,
    headers: response.headers,
    contentType: response.headers.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "",
    sends: response.sends.map((one) => ({ atMs: one.at_ms, data: one.data })),
    carried: response.carried,
    stale: data.stale,
  };
}

/** The line of a log: number, request, status, ending. */
export function exchangeLine(one) {
  const words = [`#${one.number}`, one.method, one.path, String(one.status ?? "-"), one.contentType,
    one.ending ?? "in flight", `${one.framesSent} of ${one.framesPlanned} frames`, `${one.durationMs.toFixed(1)} ms`];
  if (one.clientLeft) words.push("the client left");
  if (one.stale.length) words.push(`stale ${one.stale.join("; ")}`);
  if (one.faults.length) words.push(`faults ${one.faults.join(", ")} (seed ${one.seed})`);
  return words.filter(Boolean).join("  ");
}

/** What an exchange carried, in a clause. */
export function said(carried) {
  if (!carried.framing) return "an empty body";
  const parts = [`${carried.chunks} content chunk${carried.chunks === 1 ? "" : "s"} as ${carried.framing}`];
  if (carried.text) parts.push(short(carried.text));
  if (carried.tool_calls.length) parts.push(`calls ${carried.tool_calls.join(", ")}`);
  parts.push(carried.finish_reason ? `finish_reason ${carried.finish_reason}` : "no finish_reason");
  if (carried.blocked) parts.push("blocked");
  if (carried.problem) parts.push(carried.problem);
  return parts.join("; ");
}

/** A finding of a verdict in one line. */
export function findingLine(finding) {
  const numbers = finding.exchanges.map((number) => `#${number}`);
  const shown = numbers.length > SHOWN_NUMBERS + 1 ? [...numbers.slice(0, SHOWN_NUMBERS), "…", numbers.at(-1)] : numbers;
  const advice = finding.advice && `; ${advised(finding.advice)}`;
  return `${finding.mark}: ${finding.rule}: ${finding.says} (${shown.join(", ")})${advice}`;
}

/** A text in one line, quoted, cut in its middle where it is long. */
export function short(text) {
  const quoted = `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"')}'`;
  if (quoted.length <= SHOWN_CHARACTERS) return quoted;
  const half = SHOWN_CHARACTERS / 2;
  return `${quoted.slice(0, half)} … ${quoted.slice(-half)}`;
}

function object(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}
