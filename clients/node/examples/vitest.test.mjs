// vitest, with the AI SDK: what is asked and shown, and that a stream which breaks off is an error.
import { afterAll, beforeAll, expect, test } from "vitest";

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import { startMock } from "genstudio-mock";

let mock;
beforeAll(async () => { mock = await startMock(); });
afterAll(() => mock.stop());

function modelOf(session) {
  const provider = createOpenAICompatible({ name: "mock", baseURL: session.baseURL, apiKey: session.apiKey });
  return provider("mt-infini-3b");
}

test("an answer of the test's own is shown", async () => {
  const session = await mock.session();
  await session.answer("你好");

  const { text } = await generateText({ model: modelOf(session), prompt: "在吗?" });

  expect(text).toBe("你好");
  expect((await session.last()).request.messages.at(-1).content).toBe("在吗?");
});

test("a stream that breaks off is an error to the application", async () => {
  const session = await mock.session();
  await session.answer({ pieces: ["一", "二", "三"] });
  await session.arm({ type: "cut", after_frames: 2 });
  const { textStream } = streamText({ model: modelOf(session), prompt: "数数", maxRetries: 0, onError() {} });
  let shown = "";
  const read = async () => { for await (const text of textStream) shown += text; };

  await expect(read()).rejects.toThrow("terminated");
  expect(shown).toBe("一");
});
