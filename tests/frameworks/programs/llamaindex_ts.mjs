import { openai } from "@llamaindex/openai";
import { agent } from "@llamaindex/workflow";
import { tool } from "llamaindex";
import { z } from "zod";
import { ASKED, KEY, Person, getTime, getWeather, run } from "./common.mjs";

const messages = [{ role: "user", content: ASKED }];
const llm = (baseURL, model) => openai({ model, apiKey: KEY, baseURL, maxRetries: 0 });
const tools = [
  tool({ name: "get_weather", description: "Get the weather", parameters: z.object({ city: z.string() }), execute: getWeather }),
  tool({ name: "get_time", description: "Get the time", parameters: z.object({ zone: z.string() }), execute: getTime }),
];

await run({
  text: async (url, model) => (await llm(url, model).chat({ messages })).message.content,
  stream: async (url, model) => {
    let text = "";
    for await (const part of await llm(url, model).chat({ messages, stream: true })) text += part.delta;
    return text;
  },
  loop: async (url, model) => (await agent({ llm: llm(url, model), tools }).run(ASKED)).data.result,
  structured: async (url, model) =>
    JSON.parse((await llm(url, model).chat({ messages, responseFormat: Person })).message.content),
});
