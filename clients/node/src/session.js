// One namespace of a mock: what a test has set up and what it has seen, apart from all other tests.

import { AssertionError } from "node:assert";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";

import { advised, NO_REQUEST } from "./advice.js";
import { compare } from "./compare.js";
import { MockError, NothingAskedError } from "./errors.js";
import { rawAnswer } from "./raw.js";
import { exchangeLine, findingLine, seenExchange } from "./seen.js";

const WAIT_TIMEOUT_MS = 10_000;
const LONGEST_WAIT_MS = 5_000; // how long the control API lets one request wait; a longer wait is several requests
const MATCH = ["model", "chip", "stream", "contains", "headers", "query"];
const ABOUT_THE_FAULT = "fault: ";

/** The clock of one namespace, on which quotas run. */
export class SessionClock {
  #session;

  constructor(session) {
    this.#session = session;
  }

  /** Milliseconds on it. */
  async elapsedMs() {
    return (await this.#session.call("GET", "/clock")).elapsed_ms;
  }

  /** Move it on; nobody waits, and no other namespace notices. */
  async advance(ms) {
    await this.#session.call("POST", "/clock", { advance_ms: ms });
  }
}

/** A test's handle on a mock; `chip` and `model` give the same namespace seen through another chip or model. */
export class Session {
  #model;
  #chip;

  constructor(mock, apiKey, baseURL, model, chip) {
    this.mock = mock;
    this.apiKey = apiKey;
    this.baseURL = baseURL;
    this.stale = [];
    this.#model = model;
    this.#chip = chip;
  }

  /** The mock's address. */
  get url() {
    return this.mock.url;
  }

  /** The namespace's clock. */
  get clock() {
    return new SessionClock(this);
  }

  /** The same namespace through another chip. */
  chip(name) {
    return this.#through(this.#model, name);
  }

  /** The same namespace through another model. */
  model(name) {
    return this.#through(name, this.#chip);
  }

  async #through(model, chip) {
    return new Session(this.mock, this.apiKey, await this.mock.baseURL(model, chip), model, chip);
  }

  /** The variables from which OpenAI's clients take address and key. */
  env() {
    return { OPENAI_BASE_URL: this.baseURL, OPENAI_API_BASE: this.baseURL, OPENAI_API_KEY: this.apiKey };
  }

  /** One operation of the control API on this namespace. */
  call(method, path, body, options = {}) {
    return this.mock.call(method, path, body, { ...options, apiKey: this.apiKey });
  }

  /**
   * Let something go wrong: `"cut;after_frames=3"` as in the header X-Mock-Fault, or
   * `{ type: "cut", after_frames: 3 }`, or an array of such: all are armed, or none.
   */
  async arm(fault, { times = null, every = 1, probability = 1, ...match } = {}) {
    await this.#known(match);
    const armed = [];
    try {
      for (const one of [fault].flat()) {
        const body = { fault: one, match, times, every, probability };
        armed.push((await this.call("POST", "/faults", body)).number);
      }
    } catch (error) {
      for (const number of armed) await this.call("DELETE", `/faults/${number}`);
      if (error instanceof MockError && error.reason.startsWith(ABOUT_THE_FAULT)) {
        const reason = error.reason.slice(ABOUT_THE_FAULT.length);
        throw new MockError(reason, reason);
      }
      throw error;
    }
  }

  /** Disarm all faults. */
  async disarm() {
    await this.call("DELETE", "/faults");
  }

  /**
   * Say what the next answer is; further calls queue further answers.
   *
   * A text, or an object with `text`, `pieces`, `reasoning`, `tool_calls`, `error`, `blocked`, `delay_ms`,
   * `finish_reason`, `usage`, or with `raw`: the bytes themselves. In `options`, `times` tells how often it answers
   * (null for always), and model, chip, stream, contains, headers, query which requests it is for.
   */
  async answer(said, { times = 1, ...match } = {}) {
    await this.#known(match);
    const answer = typeof said === "string" ? { text: said } : { ...said };
    if (answer.raw !== undefined) answer.raw = await rawAnswer(answer.raw);
    await this.call("POST", "/answers", { answer, match, times });
  }

  /**
   * Answer from files: a fixture (`match` with `answer` or `answers`) answers whenever a request fits, a recording, or
   * any exchange file, the next request at the times that it tells; any file that is no JSON is sent to the next request
   * as it is. A folder of them is the mock's own to read: `startMock({ args: ["--fixtures", folder] })`.
   */
  async answerFrom(...paths) {
    for (const path of paths) {
      const bytes = await readFile(path);
      const document = String(path).endsWith(".json") ? json(bytes) : undefined;
      if (document === undefined) {
        await this.call("POST", "/answers", { answer: { raw: await rawAnswer(bytes) } });
      } else {
        await this.call("POST", "/answers", "response" in document ? document : written(path, document));
      }
    }
  }

  async #known(match) {
    const unknown = Object.keys(match).find((name) => !MATCH.includes(name));
    if (unknown !== undefined) {
      throw new MockError(`${unknown}: no such option; allowed: ${["times", ...MATCH].join(", ")}`);
    }
    await this.mock.baseURL(match.model, match.chip); // what no request can ask for would wait for ever
  }

  /** Scripted answers that were not used as often as set up, each with its number, match, times and used. */
  async unmet() {
    return (await this.call("GET", "/answers")).answers.filter((one) => !one.met);
  }

  /** How many requests no scripted answer was for, though some were set up. */
  async unexpected() {
    return (await this.call("GET", "/answers")).unexpected;
  }

  /** Fail where a scripted answer was not used as often as set up, or a request came that none was for. */
  async assertAllUsed() {
    const lines = (await this.unmet()).map((one) => {
      const match = Object.entries(one.match).map(([name, value]) => `${name}=${value}`).join(", ");
      return `answer ${one.number} (${match || "for every request"}) was used ${one.used} of ${one.times ?? "any"} times`;
    });
    const unexpected = await this.unexpected();
    if (unexpected) {
      lines.push(`${unexpected} request${unexpected === 1 ? "" : "s"} came that no scripted answer was for`);
    }
    if (lines.length) throw new AssertionError({ message: lines.join("\n"), stackStartFn: this.assertAllUsed });
  }

  /** What happened, oldest first, then what is in flight; only those of the query. */
  exchanges(query = {}) {
    return this.#exchanges(query);
  }

  /** The exchanges, as soon as so many have ended (with `in_flight: true`, as soon as so many are answered). */
  async waitFor(count, { timeoutMs = WAIT_TIMEOUT_MS, ...query } = {}) {
    for (let leftMs = timeoutMs; ;) {
      const waitMs = Math.min(leftMs, LONGEST_WAIT_MS);
      const found = await this.#exchanges({ ...query, count, timeout_ms: waitMs });
      const counted = found.filter((one) => (query.in_flight ? one.source || one.faults.length : !one.inFlight));
      if (counted.length >= count) return found;
      leftMs -= waitMs;
      if (leftMs <= 0) {
        const seen = found.map(exchangeLine).join("; ") || "none";
        throw new MockError(`waited ${timeoutMs} ms for ${count} exchanges and saw ${counted.length}: ${seen}`);
      }
    }
  }

  async #exchanges(query) {
    const found = await this.call("GET", `/exchanges?${new URLSearchParams({ ...query, frames: "true" })}`);
    return found.map(seenExchange);
  }

  /** The latest exchange. */
  async last() {
    const found = await this.exchanges();
    if (!found.length) throw new NothingAskedError(advised(NO_REQUEST));
    return found.at(-1);
  }

  /** Write an exchange (the last one, or that of a number) as a fixture file; never with the API key. */
  async save(path, number) {
    const chosen = number ?? (await this.last()).number;
    const text = await this.mock.text("GET", `/exchanges/${chosen}/fixture`, undefined, { apiKey: this.apiKey });
    const draft = `${path}.${randomBytes(6).toString("hex")}`;
    try {
      await writeFile(draft, text);
      await rename(draft, path);
    } finally {
      await rm(draft, { force: true });
    }
  }

  /** What the exchanges say of the client: resilient, findings. */
  verdict() {
    return this.call("GET", "/verdict");
  }

  /** Fail where the client took an error badly; the message says how, and what to do about it. */
  async assertResilient() {
    await this.last();
    const bad = (await this.verdict()).findings.filter((one) => one.mark === "bad").map(findingLine);
    if (bad.length) {
      const message = `the client is not resilient:\n${bad.join("\n")}`;
      throw new AssertionError({ message, stackStartFn: this.assertResilient });
    }
  }

  /** Fail where the application shows another text than went over the wire in the last exchanges. */
  async assertClientSaw(text, { exchanges = 1 } = {}) {
    compare(text, (await this.exchanges()).slice(-exchanges));
  }

  /** Forget what was set up and what happened. */
  async reset() {
    await this.call("POST", "/reset", {});
  }

  /** Give the namespace up, and with it all that was set up in it. */
  async close() {
    this.stale = (await this.call("DELETE", "/namespace")).stale;
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }
}

/** What a fixture file says, as it is scripted: from now on, for all requests that fit. */
function written(path, { match, answer, answers, then = "repeat", expires }) {
  if (match === undefined || (answer ?? answers) === undefined) {
    throw new MockError(`${path}: no exchange file and no fixture: it has no key 'response', and not 'match' with `
      + `'answer' or 'answers'`);
  }
  if (expires !== undefined && expires < new Date().toISOString().slice(0, 10)) {
    throw new MockError(`${path}: expires: ${expires} is over; it no longer fits any request`);
  }
  return answer === undefined ? { answers, then, match } : { answer, match, times: null };
}

function json(bytes) {
  try {
    const value = JSON.parse(new TextDecoder("utf-8").decode(bytes)); // which takes a byte order mark away
    return value !== null && typeof value === "object" ? value : undefined;
  } catch {
    return undefined;
  }
}
