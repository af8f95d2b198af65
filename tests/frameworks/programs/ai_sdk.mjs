import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, hasToolCall, Output, stepCountIs, streamText, tool } from "ai";
import { ASKED, getTime, getWeather, KEY, MOST_TURNS, Person, run } from "./common.mjs";
import { z } from "zod";
import * as ai from "ai";

const stop = (stepCountIs ?? ai.isStepCount)(MOST_TURNS);
const endsWith = hasToolCall ?? ai.hasToolCall;
const chat = (baseURL, model, supportsStructuredOutputs) =>
  createOpenAICompatible({ name: "mock", baseURL, apiKey: KEY, supportsStructuredOutputs })(model);
const tools = {
  get_weather: tool({ description: "The weather in a city", inputSchema: z.object({ city: z.string() }), execute: getWeather }),
  get_time: tool({ description: "The time in a zone", inputSchema: z.object({ zone: z.string() }), execute: getTime }),
};
const ask = (base_url, model, more) => ({ model: chat(base_url, model, true), prompt: ASKED, maxRetries: 0, ...more });
const withoutSchema = (base_url, model) => ({ model: chat(base_url, model), prompt: ASKED, maxRetries: 0, schema: Person });

await run({
  text: async (...at) => (await generateText(ask(...at))).text,
  stream: async (...at) => {
    let failed;
    const { textStream } = streamText(ask(...at, { onError: ({ error }) => { failed = error; } }));
    let text = "";
    for await (const part of textStream) text += part;
    if (failed) throw failed;
    return text;
  },
  loop: async (...at) => (await generateText(ask(...at, { tools, stopWhen: stop }))).text,
  structured: async (...at) => (await ai.generateObject(ask(...at, { schema: Person }))).object,
  "structured with tools": async (...at) => {
    const output = Output.object({ schema: Person });
    return (await generateText(ask(...at, { tools, stopWhen: stop, output }))).output;
  },
  "structured by default": async (...at) => (await ai.generateObject(withoutSchema(...at))).object,
  "structured by a last tool": async (...at) => {
    const done = tool({ description: "Ends the task", inputSchema: Person });
    const made = await generateText(
      ask(...at, { tools: { ...tools, done }, toolChoice: "required", stopWhen: [stop, endsWith("done")] }),
    );
    const calls = made.steps.flatMap((step) => step.toolCalls);
    return calls.find((call) => call.toolName === "done")?.input;
  },
});
