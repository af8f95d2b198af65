import { openAICompatible } from "@genkit-ai/compat-oai";
import { genkit, z } from "genkit";
import { ASKED, KEY, getTime, getWeather, run } from "./common.mjs";

const Person = z.object({ name: z.string(), age: z.number().int() });
const made = (baseURL, model) => {
  const ai = genkit({ plugins: [openAICompatible({ name: "mock", apiKey: KEY, baseURL, maxRetries: 0 })] });
  const tools = [
    ai.defineTool({ name: "get_weather", description: "Get the weather in a city.", inputSchema: z.object({ city: z.string() }), outputSchema: z.string() }, getWeather),
    ai.defineTool({ name: "get_time", description: "Get the time in a zone.", inputSchema: z.object({ zone: z.string() }), outputSchema: z.string() }, getTime),
  ];
  return { ai, tools, ask: { model: `mock/${model}`, prompt: ASKED } };
};
const streamed = async (ai, ask) => {
  const { stream, response } = ai.generateStream(ask);
  let text = "";
  for await (const part of stream) text += part.text;
  await response;
  return text;
};

await run({
  text: async (url, model) => {
    const { ai, ask } = made(url, model);
    return (await ai.generate(ask)).text;
  },
  stream: async (url, model) => {
    const { ai, ask } = made(url, model);
    return await streamed(ai, ask);
  },
  loop: async (url, model) => {
    const { ai, ask, tools } = made(url, model);
    return (await ai.generate({ ...ask, tools })).text;
  },
  structured: async (url, model) => {
    const { ai, ask } = made(url, model);
    return (await ai.generate({ ...ask, output: { schema: Person } })).output;
  },
  "structured with tools": async (url, model) => {
    const { ai, ask, tools } = made(url, model);
    return (await ai.generate({ ...ask, tools, output: { schema: Person } })).output;
  },
  "two tools, streamed": async (url, model) => {
    const { ai, ask, tools } = made(url, model);
    return await streamed(ai, { ...ask, tools });
  },
});
