import type { AssertionError } from "node:assert";
import type { components } from "./control.js";

type Schemas = components["schemas"];

/** What went over the wire, as a careful client reads it. */
export type Carried = Schemas["Carried"];
/** What one rule of a verdict saw in one call. */
export type ClientFinding = Schemas["ClientFinding"];
/** How a client took what went wrong. */
export type ClientVerdict = Schemas["VerdictReply"];
/** A scripted answer and how often it was used. */
export type AnswerRow = Schemas["AnswerRow"];
/** A fault as an object with its type and settings. */
export type Fault = Exclude<Schemas["ArmBody"]["fault"], string>;

/** Which requests are meant; a key that is absent does not matter. */
export interface RequestMatch {
  model?: string;
  chip?: string;
  stream?: boolean;
  /** What the last user message holds. */
  contains?: string;
  /** What request headers hold: a text, `{contains}`, `{regex}` or `{exists}` by the name. */
  headers?: Record<string, string | { contains: string } | { regex: string } | { exists: boolean }>;
  /** What parameters of the query hold, in the same forms. */
  query?: Record<string, string | { contains: string } | { regex: string } | { exists: boolean }>;
}

export interface ArmOptions extends RequestMatch {
  /** How often it fires; null for always. */
  times?: number | null;
  /** It fires at every k-th request that fits. */
  every?: number;
  /** Chance to fire, from 0 to 1. */
  probability?: number;
}

export interface AnswerOptions extends RequestMatch {
  /** How often it answers; null for always. */
  times?: number | null;
}

type Data = string | Uint8Array;
type RawSend = Data | [delayMs: number, data: Data] | { data: Data; delay_ms?: number };
/** Bytes or a text; a file's URL; what is sent one after the other; or an object with more. */
export type Raw = Data | URL | RawSend[] | { sends?: Data | RawSend[]; status?: number; headers?: unknown };

/** What is said, in the words of a fixture's `answer`. */
export interface AnswerParts {
  text?: string;
  /** The content where its cuts matter: one chunk each in a stream. */
  pieces?: string[];
  /** What the model thinks first. */
  reasoning?: string;
  tool_calls?: { name: string; arguments?: unknown; [more: string]: unknown }[];
  /** An error instead: a kind like `rate-limited`, or an object. */
  error?: string | Record<string, unknown>;
  /** The bytes instead, as they are sent. */
  raw?: Raw;
  blocked?: boolean;
  delay_ms?: number;
  finish_reason?: string;
  usage?: { prompt_tokens?: number; completion_tokens?: number };
}

/** Which exchanges are meant; a key that is absent does not matter. */
export interface ExchangeQuery {
  model?: string;
  chip?: string;
  status?: number;
  stream?: boolean;
  /** What the request's body holds. */
  text?: string;
  /** Only exchanges with a higher number. */
  after?: number;
  /** Only those in flight, or only those that have ended. */
  in_flight?: boolean;
}

/** One exchange: what a client asked, and what was really sent to it. */
export interface SeenExchange {
  number: number;
  /** When the request came, in milliseconds on the namespace's clock. */
  atMs: number;
  durationMs: number;
  method: string;
  path: string;
  query: string;
  /** By name in lower case; credentials and cookies are masked. */
  requestHeaders: Record<string, string>;
  requestBody: string;
  /** The request's JSON body; empty where it was no JSON object. */
  request: Record<string, any>;
  model: string | null;
  chip: string | null;
  stream: boolean | null;
  status: number | null;
  source: string;
  detail: string;
  faults: string[];
  seed: number;
  ending: "complete" | "cut" | "reset" | "hang" | null;
  inFlight: boolean;
  clientLeft: boolean;
  framesPlanned: number;
  framesSent: number;
  headers: [name: string, value: string][];
  contentType: string;
  /** What was sent: milliseconds after the answer began, and text. */
  sends: { atMs: number; data: string }[];
  carried: Carried;
  stale: string[];
}

export interface ServedEdition {
  name: string;
  chips: string[];
  /** The first chip of each wire form. */
  distinctChips: string[];
  models: string[];
}

export interface CallOptions {
  apiKey?: string;
  timeoutMs?: number;
}

export interface StartOptions {
  /** The command of genstudio-mock: `["uvx", "--from", PATH, "genstudio-mock"]`; else GENSTUDIO_MOCK_COMMAND, else `genstudio-mock`. */
  command?: string[];
  /** Flags of `genstudio-mock serve`. */
  args?: string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

/** Start a mock, which ends with `stop()`, or with this process however it ends. Throws MockError. */
export function startMock(options?: StartOptions): Promise<Mock>;

/** A mock that runs somewhere: in a process of ours, in another one, in a container. */
export class Mock implements AsyncDisposable {
  constructor(url: string, options?: { token?: string });
  /** Its address, without a slash at the end. */
  readonly url: string;
  /** What it imitates. */
  edition(): Promise<ServedEdition>;
  /** What an OpenAI client takes as its base URL. */
  baseURL(model?: string, chip?: string): Promise<string>;
  /** A namespace of its own, empty; without a key it gets a random one. */
  session(options?: { apiKey?: string; model?: string; chip?: string }): Promise<Session>;
  /** One operation of the control API: the JSON that came back. */
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<any>;
  /** One operation of the control API: the text of the JSON that came back. */
  text(method: string, path: string, body?: unknown, options?: CallOptions): Promise<string>;
  /** End the process that was started for this mock; one that ran already goes on. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The clock of one namespace, on which quotas run. */
export class SessionClock {
  elapsedMs(): Promise<number>;
  /** Move it on; nobody waits, and no other namespace notices. */
  advance(ms: number): Promise<void>;
}

/** One namespace of a mock: what a test has set up and what it has seen, apart from all other tests. */
export class Session implements AsyncDisposable {
  readonly mock: Mock;
  readonly apiKey: string;
  /** What an OpenAI client takes as its base URL. */
  readonly baseURL: string;
  /** The mock's address. */
  readonly url: string;
  readonly clock: SessionClock;
  /** Once it is closed: which answers were recorded or written for other requests than those that came. */
  stale: string[];
  chip(name: string): Promise<Session>;
  model(name: string): Promise<Session>;
  /** The variables from which OpenAI's clients take address and key. */
  env(): { OPENAI_BASE_URL: string; OPENAI_API_BASE: string; OPENAI_API_KEY: string };
  call(method: string, path: string, body?: unknown, options?: { timeoutMs?: number }): Promise<any>;
  /** Let something go wrong: `"cut;after_frames=3"`, an object, or an array of such: all are armed, or none. */
  arm(fault: string | Fault | (string | Fault)[], options?: ArmOptions): Promise<void>;
  disarm(): Promise<void>;
  /** Say what the next answer is; further calls queue further answers. */
  answer(said: string | AnswerParts, options?: AnswerOptions): Promise<void>;
  /** Answer from fixtures (`match` and `answer`), recordings, exchange files and files of bytes. */
  answerFrom(...paths: (string | URL)[]): Promise<void>;
  unmet(): Promise<AnswerRow[]>;
  unexpected(): Promise<number>;
  assertAllUsed(): Promise<void>;
  exchanges(query?: ExchangeQuery): Promise<SeenExchange[]>;
  /** The exchanges, as soon as so many have ended. Throws MockError when the time is over. */
  waitFor(count: number, options?: ExchangeQuery & { timeoutMs?: number }): Promise<SeenExchange[]>;
  last(): Promise<SeenExchange>;
  /** Write an exchange, the last one by default, as a fixture file for `serve --fixtures`. */
  save(path: string, number?: number): Promise<void>;
  verdict(): Promise<ClientVerdict>;
  assertResilient(): Promise<void>;
  /** Fail where the application shows another text than went over the wire. */
  assertClientSaw(text: string | null | undefined, options?: { exchanges?: number }): Promise<void>;
  reset(): Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The mock cannot be reached, or refuses what it was asked. */
export class MockError extends Error {
  /** What the mock itself said, without the place. */
  readonly reason: string;
}
/** The application does not show what went over the wire. */
export class ClientSawError extends AssertionError {
  readonly exchanges: SeenExchange[];
}
/** The wire carried content, and the application shows nothing and raised nothing. */
export class SilentEmptyError extends ClientSawError {}
/** The application shows another text than went over the wire. */
export class WrongTextError extends ClientSawError {}
/** No request came, so there is nothing to compare with. */
export class NothingAskedError extends ClientSawError {}
