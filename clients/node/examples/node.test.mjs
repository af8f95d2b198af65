// `node --test`, with OpenAI's SDK: what the application shows is what went over the wire.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";

import OpenAI from "openai";
import { SilentEmptyError, startMock } from "genstudio-mock";

let mock;
before(async () => { mock = await startMock(); });
after(() => mock.stop());

async function shownBy(session) {
  const client = new OpenAI({ baseURL: session.baseURL, apiKey: session.apiKey });
  const stream = await client.chat.completions.create({
    model: "mt-infini-3b", messages: [{ role: "user", content: "你好" }], stream: true,
  });
  let shown = "";
  for await (const chunk of stream) shown += chunk.choices[0]?.delta.content ?? "";
  return shown;
}

test("an answer of the test's own is shown", async () => {
  const session = await mock.session({ chip: "nvidia" });
  await session.answer("你好，我在。");

  assert.equal(await shownBy(session), "你好，我在。");
  await session.assertClientSaw("你好，我在。");
  await session.assertAllUsed();
});

test("chip3 is read as nothing, and nothing is raised", async () => {
  const session = await mock.session({ chip: "chip3" });

  await assert.rejects(async () => session.assertClientSaw(await shownBy(session)), SilentEmptyError);
});

test("the SDK tries again after a 503", async () => {
  const session = await mock.session();
  await session.arm("status;status=503;retry_after_s=0", { times: 1 });

  assert.notEqual(await shownBy(session), "");
  await session.assertResilient();
});
