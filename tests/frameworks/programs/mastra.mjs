import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Agent } from "@mastra/core/agent";
import { createTool } from "@mastra/core/tools";
import { z } from "zod";
import { ASKED, getTime, getWeather, KEY, MOST_TURNS, Person, run } from "./common.mjs";

const chat = (baseURL, model) => createOpenAICompatible({ name: "mock", baseURL, apiKey: KEY, supportsStructuredOutputs: true })(model);
const tools = {
  get_weather: createTool({
    id: "get_weather", description: "The weather in a city", inputSchema: z.object({ city: z.string() }),
    execute: async (input) => getWeather(input.context ?? input),
  }),
  get_time: createTool({
    id: "get_time", description: "The time in a zone", inputSchema: z.object({ zone: z.string() }),
    execute: async (input) => getTime(input.context ?? input),
  }),
};
const agent = (at, more) => new Agent({ id: "a", name: "a", instructions: "Help.", model: chat(...at), maxRetries: 0, ...more });
const bound = { maxSteps: MOST_TURNS, modelSettings: { maxRetries: 0 } };

await run({
  text: async (...at) => (await agent(at).generate(ASKED, bound)).text,
  stream: async (...at) => {
    const made = await agent(at).stream(ASKED, bound);
    let text = "";
    for await (const part of made.textStream) text += part;
    if (made.error) throw made.error;
    return text;
  },
  loop: async (...at) => (await agent(at, { tools }).generate(ASKED, bound)).text,
  structured: async (...at) =>
    (await agent(at).generate(ASKED, { ...bound, structuredOutput: { schema: Person } })).object,
  "structured with tools": async (...at) =>
    (await agent(at, { tools }).generate(ASKED, { ...bound, structuredOutput: { schema: Person } })).object,
  "structured in the prompt": async (...at) =>
    (await agent(at).generate(ASKED, { ...bound, structuredOutput: { schema: Person, jsonPromptInjection: true } })).object,
});
