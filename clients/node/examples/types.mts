// What an editor knows of the package.
import OpenAI from "openai";
import { Mock, MockError, SilentEmptyError, startMock } from "genstudio-mock";
import type { AnswerParts, ClientVerdict, Fault, SeenExchange, Session } from "genstudio-mock";

const parts: AnswerParts = { pieces: ["你", "好"], finish_reason: "stop", usage: { completion_tokens: 2 } };
const fault: Fault = { type: "cut", after_frames: 3, clean: false };

export async function used(): Promise<string[]> {
  await using mock: Mock = await startMock({ args: ["--edition", "2025-reference"] });
  const session: Session = await mock.session({ chip: "nvidia" });
  await session.answer(parts, { times: null, stream: true, headers: { "x-team": { exists: true } } });
  await session.arm([fault, "latency;ms=5"], { times: 1, model: "mt-infini-3b" });
  const client = new OpenAI({ baseURL: session.baseURL, apiKey: session.apiKey });
  void client;
  const seen: SeenExchange[] = await session.waitFor(1, { timeoutMs: 100, in_flight: false });
  const verdict: ClientVerdict = await session.verdict();
  const advice: string[] = verdict.findings.map((one) => one.advice);
  // @ts-expect-error - a setting that no query has
  await session.exchanges({ chips: "chip3" });
  try {
    await session.assertClientSaw("你好");
  } catch (error) {
    if (error instanceof SilentEmptyError) return [...advice, error.exchanges[0]?.carried.text ?? ""];
    if (error instanceof MockError) return [error.reason];
    throw error;
  }
  return seen.map((one) => one.ending ?? "in flight");
}
