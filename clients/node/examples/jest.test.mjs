// jest (`node --experimental-vm-modules node_modules/jest/bin/jest.js`), with OpenAI's SDK.
import OpenAI from "openai";
import { startMock } from "genstudio-mock";

let mock;
beforeAll(async () => { mock = await startMock(); });
afterAll(() => mock.stop());

test("a quota is told, and over when the clock has moved on", async () => {
  const session = await mock.session();
  await session.arm("rate_limit;rpm=1");
  const client = new OpenAI({ baseURL: session.baseURL, apiKey: session.apiKey, maxRetries: 0 });
  const ask = () => client.chat.completions.create({
    model: "mt-infini-3b", messages: [{ role: "user", content: "你好" }],
  });

  await ask();
  await expect(ask()).rejects.toMatchObject({ status: 429 });
  await session.clock.advance(60_000);
  await ask();

  expect((await session.exchanges()).map((one) => one.status)).toEqual([200, 429, 200]);
});
