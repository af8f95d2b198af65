// A mock that runs: found by its address, or started for as long as this process lives.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect } from "node:net";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { MockError } from "./errors.js";
import { Session } from "./session.js";

const CONTROL = "/_mock";
const CALL_TIMEOUT_MS = 10_000;
const START_TIMEOUT_MS = 60_000;
const LINES_KEPT = 20;
const COMMAND_VARIABLE = "GENSTUDIO_MOCK_COMMAND";

/** A mock that runs somewhere: in a process of ours, in another one, in a container. */
export class Mock {
  #url;
  #token;
  #edition;
  #leave;

  constructor(url, { token } = {}) {
    let parts;
    try {
      parts = new URL(url);
    } catch {
      parts = { protocol: "" };
    }
    if (!["http:", "https:"].includes(parts.protocol)) {
      throw new MockError(`'${url}' is not the address of a mock; allowed: http(s)://HOST:PORT`);
    }
    this.#url = parts.origin;
    this.#token = token;
  }

  /** Take over the end of a process that was started for this mock. */
  static started(url, leave) {
    const mock = new Mock(url);
    mock.#leave = leave;
    return mock;
  }

  /** Its address, without a slash at the end. */
  get url() {
    return this.#url;
  }

  /** What it imitates: name, chips, distinctChips, models. */
  async edition() {
    if (this.#edition === undefined) {
      const health = await this.call("GET", "/health");
      if (!Array.isArray(health?.chips) || !Array.isArray(health?.models)) {
        throw new MockError(`${this.#url}: no health of a mock; is this a mock?`);
      }
      this.#edition = {
        name: health.edition,
        chips: health.chips,
        distinctChips: health.distinct_chips ?? [],
        models: health.models,
      };
    }
    return this.#edition;
  }

  /** What an OpenAI client takes as its base URL; the edition's first model and chip where none is given. */
  async baseURL(model, chip) {
    const edition = await this.edition();
    const chosen = [["model", model, edition.models], ["chip", chip, edition.chips]].map(([what, name, known]) => {
      if (name !== undefined && !known.includes(name)) {
        throw new MockError(`${what} '${name}' is not in edition ${edition.name}; allowed: ${known.join(", ")}`);
      }
      return name ?? known[0];
    });
    return `${this.#url}/maas/${chosen.map(encodeURIComponent).join("/")}`;
  }

  /** A namespace of its own, empty; without a key it gets a random one. */
  async session({ apiKey, model, chip } = {}) {
    const baseURL = await this.baseURL(model, chip);
    const made = new Session(this, apiKey ?? `test-${randomBytes(12).toString("hex")}`, baseURL, model, chip);
    await made.reset();
    return made;
  }

  /** One operation of the control API: the JSON that came back. */
  async call(method, path, body, options = {}) {
    return JSON.parse(await this.text(method, path, body, options));
  }

  /** One operation of the control API: the text of the JSON that came back. */
  async text(method, path, body, { apiKey, timeoutMs = CALL_TIMEOUT_MS } = {}) {
    const headers = {};
    if (apiKey !== undefined) headers.authorization = `Bearer ${apiKey}`;
    if (this.#token !== undefined) headers["x-mock-token"] = this.#token;
    const data = body === undefined ? undefined : JSON.stringify(body);
    if (data !== undefined) headers["content-type"] = "application/json";
    let status, text;
    try {
      [status, text] = await ask(this.#url + CONTROL + path, method, headers, data, timeoutMs);
    } catch (error) {
      throw new MockError(`${this.#url}: no mock answers there: ${error.message || error.code}`);
    }
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      throw new MockError(`${this.#url}: ${status} without JSON; is this a mock?`);
    }
    if (status >= 400) {
      const reason = String(value?.error ?? text);
      throw new MockError(`${method} ${CONTROL}${path}: ${status}: ${reason}`, reason);
    }
    return text;
  }

  /** End the process that was started for this mock; one that ran already goes on. */
  async stop() {
    const leave = this.#leave;
    this.#leave = undefined;
    await leave?.();
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.stop();
  }
}

/**
 * Start a mock, which ends with `stop()`, or with this process however it ends.
 *
 * It is held by a connection: whoever dies lets go of it, and the mock ends.
 */
export async function startMock({ command, args = [], cwd, env = process.env } = {}) {
  const words = command ?? env[COMMAND_VARIABLE]?.trim().split(/\s+/) ?? ["genstudio-mock"];
  const [program, ...before] = words;
  const child = spawn(program, [...before, "serve", "--lease", ...args], {
    cwd, env: { ...env, PYTHONUTF8: "1" }, stdio: ["ignore", "pipe", "pipe"], windowsHide: true,
  });
  const said = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    said.push(line);
    said.splice(0, said.length - LINES_KEPT);
  });
  const ended = new Promise((resolve) => {
    child.once("error", (error) => resolve(`cannot be started: ${error.message}`));
    child.once("close", (code, signal) => resolve(`ended with ${signal ?? `exit code ${code}`}`));
  });
  const first = once(createInterface({ input: child.stdout }), "line").then(([line]) => line);
  let timer;
  const late = new Promise((resolve) => { timer = setTimeout(resolve, START_TIMEOUT_MS, { late: true }); });
  const told = await Promise.race([first.then((line) => ({ line })), ended.then((why) => ({ why })), late]);
  clearTimeout(timer);
  const where = told.line === undefined ? undefined : placeIn(told.line);
  if (where === undefined) {
    child.kill();
    const why = told.why ?? (told.late ? `said nothing for ${START_TIMEOUT_MS / 1000} s` : `is no mock: ${told.line}`);
    const hint = "see that it is installed where this runs, or name its command: startMock({ command: [...] })";
    throw new MockError(`${words.join(" ")} serve --lease: ${said.at(-1) ?? `${why}; ${hint}`}`);
  }
  const lease = connect(where.lease_port, "127.0.0.1");
  await once(lease, "data");
  for (const one of [lease, child, child.stdout, child.stderr]) one.unref(); // a test runner ends when its tests have
  return Mock.started(where.url, async () => {
    child.ref();
    lease.ref();
    lease.end();
    await ended;
  });
}

function placeIn(line) {
  try {
    const where = JSON.parse(line);
    return where?.url && where?.lease_port ? where : undefined;
  } catch {
    return undefined;
  }
}

// Without a connection pool, so that nothing keeps a test runner from ending, and past any proxy.
function ask(url, method, headers, data, timeoutMs) {
  const request = url.startsWith("https:") ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve([answer.statusCode, Buffer.concat(parts).toString("utf8")]));
      answer.on("error", reject);
    });
    asking.on("error", (error) => reject(error.name === "AbortError" || error.name === "TimeoutError"
      ? new Error(`no answer within ${timeoutMs / 1000} s`) : error));
    asking.end(data);
  });
}
