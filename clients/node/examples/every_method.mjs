// Every method once, without a test runner.
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";

import {
  ClientSawError, Mock, MockError, NothingAskedError, SilentEmptyError, WrongTextError, startMock,
} from "genstudio-mock";

const started = await startMock();
const mock = new Mock(started.url);
const edition = await mock.edition();
assert.equal(edition.name, "2024-tutorial");
assert.deepEqual(edition.distinctChips, ["nvidia", "chip3"]);
const session = await mock.session();

async function ask(of, body = {}) {
  const response = await fetch(`${of.baseURL}/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${of.apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: "你好" }], ...body }),
  });
  return { status: response.status, text: await response.text() };
}

// Where it asks.
assert.equal(session.url, mock.url);
assert.equal(session.env().OPENAI_API_KEY, session.apiKey);
assert.equal(session.env().OPENAI_BASE_URL, `${mock.url}/maas/mt-infini-3b/nvidia`);
assert.equal((await session.chip("chip3")).baseURL, `${mock.url}/maas/mt-infini-3b/chip3`);
assert.equal((await (await session.model("qwen-7b-chat")).chip("amd")).baseURL, `${mock.url}/maas/qwen-7b-chat/amd`);
await assert.rejects(session.chip("chip9"), (error) => error instanceof MockError
  && error.message === "chip 'chip9' is not in edition 2024-tutorial; allowed: nvidia, amd, chip1, chip2, chip3, chip4, chip5");
await assert.rejects(session.last(), NothingAskedError);
await assert.rejects(session.assertResilient(), NothingAskedError);

// What is answered.
await session.answer("一二三四");
await session.answer({ raw: [": hi\n\n", [1, Uint8Array.of(0xff)]] });
await session.answer("nobody asks", { chip: "amd" });
assert.equal(JSON.parse((await ask(session)).text).choices[0].message.content, "一二三四");
await session.assertClientSaw(" 一二三四\n");
await assert.rejects(session.assertClientSaw("一二"), (error) => error instanceof WrongTextError
  && error instanceof ClientSawError && error.exchanges.length === 1
  && error.message.endsWith("; what the client saw stops after 2 of 4 characters"));
await assert.rejects(session.assertClientSaw("一两三四"), /they part at character 1: '两三四' for '二三四'/);
await assert.rejects(session.assertClientSaw(""), SilentEmptyError);
await ask(session, { stream: true });
assert.deepEqual((await session.last()).sends.map((one) => one.data.slice(0, 4)), [": hi", "�"]);
await ask(session);
assert.equal((await session.unmet()).length, 1);
assert.equal(await session.unexpected(), 1);
await assert.rejects(session.assertAllUsed(), {
  name: "AssertionError",
  message: "answer 3 (chip=amd) was used 0 of 1 times\n1 request came that no scripted answer was for",
});
await assert.rejects(session.answer("x", { chips: "amd" }), /chips: no such option; allowed: times, model, chip/);

// What goes wrong.
await session.reset();
await session.arm(["status;status=503", { type: "latency", ms: 1 }], { times: 1 });
assert.equal((await ask(session)).status, 503);
assert.equal((await ask(session)).status, 200);
await assert.rejects(session.arm(["latency;ms=1", "cat"]), (error) => error instanceof MockError
  && error.message === "type: 'cat' is not a fault; did you mean cut?" && error.reason === error.message);
assert.equal((await session.call("GET", "/faults")).length, 2); // those of before, used up
await session.arm("timeout");
await session.disarm();
const found = await session.waitFor(2);
assert.deepEqual(found.map((one) => [one.number, one.status, one.faults]), [[1, 503, ["status", "latency"]], [2, 200, []]]);
assert.equal((await session.exchanges({ status: 503 })).length, 1);
await assert.rejects(session.waitFor(3, { timeoutMs: 1 }), /^MockError: waited 1 ms for 3 exchanges and saw 2: #1 {2}POST/);
assert.equal((await session.verdict()).resilient, true);
await session.assertResilient();

// A storm is told with advice.
await session.arm("status;status=503");
for (let i = 0; i < 10; i += 1) await ask(session, { n: 1 });
process.env.GENSTUDIO_MOCK_LANG = "zh";
await assert.rejects(session.assertResilient(), /^AssertionError.*: the client is not resilient:\nbad: [^]*请/);

// The clock, files, the end.
await session.disarm();
const before = await session.clock.elapsedMs();
await session.clock.advance(60_000);
assert.ok(await session.clock.elapsedMs() >= before + 60_000);
await session.answer("kept");
await ask(session);
await session.save("kept.json");
await session.answerFrom("kept.json");
assert.equal(JSON.parse((await ask(session)).text).choices[0].message.content, "kept");
writeFileSync("bytes.sse", "data: x\n\n");
await session.answerFrom("bytes.sse");
assert.equal((await ask(session)).text, "data: x\n\n");
for (const [written, refused] of [
  [{ answer: { text: "a" } }, /^MockError: written\.json: no exchange file and no fixture: /],
  [{ match: {}, answer: { text: "a" }, expires: "2020-01-01" }, /expires: 2020-01-01 is over; it no longer fits/],
  [{ match: { user: "x" }, answer: { txt: "a" } }, /txt/],
]) {
  writeFileSync("written.json", JSON.stringify(written));
  await assert.rejects(session.answerFrom("written.json"), refused);
}
await session.reset();
const asked = { messages: [{ role: "user", content: "how much is it?" }] };
const said = async (more) => JSON.parse((await ask(session, more)).text).choices[0].message.content;
writeFileSync("written.json", JSON.stringify({ match: { user: asked.messages[0].content }, answer: { text: "nine" } }));
await session.answerFrom("written.json");
assert.deepEqual([await said(asked), await said(asked)], ["nine", "nine"]);
assert.notEqual(await said({ messages: [{ role: "user", content: "else" }] }), "nine");
await session.reset();
writeFileSync("written.json", JSON.stringify({ match: {}, answers: [{ text: "1" }, { text: "2" }] }));
await session.answerFrom("written.json");
assert.deepEqual([await said(asked), await said(asked), await said(asked)], ["1", "2", "2"]);
assert.ok(!readFileSync("kept.json", "utf8").includes(session.apiKey));
for (const name of ["kept.json", "bytes.sse", "written.json"]) rmSync(name);
await session.close();
assert.deepEqual(session.stale, []);
assert.throws(() => new Mock("ftp://x"), /'ftp:\/\/x' is not the address of a mock; allowed: http\(s\):\/\/HOST:PORT/);
await assert.rejects(startMock({ command: ["no-such-program"] }), /cannot be started: .*ENOENT.*startMock\(\{ command/);
await assert.rejects(startMock({ args: ["--edition", "2031"] }), /edition: .*'2031'/);
await started.stop();
await assert.rejects(mock.call("GET", "/health"), /no mock answers there/);
console.log("ok");
