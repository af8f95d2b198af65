import { ChatOpenAI } from "@langchain/openai";
import { MemorySaver } from "@langchain/langgraph";
import { createAgent, tool, toolStrategy } from "langchain";
import { z } from "zod";
import { ASKED, getTime, getWeather, KEY, MOST_TURNS, Person, run } from "./common.mjs";

const chat = (baseURL, model) => new ChatOpenAI({ model, apiKey: KEY, maxRetries: 0, configuration: { baseURL } });
const tools = [
  tool(getWeather, { name: "get_weather", description: "The weather in a city", schema: z.object({ city: z.string() }) }),
  tool(getTime, { name: "get_time", description: "The time in a zone", schema: z.object({ zone: z.string() }) }),
];
const ask = { messages: [{ role: "user", content: ASKED }] };
const bound = { recursionLimit: 3 * MOST_TURNS };

await run({
  text: async (...at) => (await chat(...at).invoke(ASKED)).content,
  stream: async (...at) => {
    let text = "";
    for await (const part of await chat(...at).stream(ASKED)) text += part.content;
    return text;
  },
  loop: async (...at) => (await createAgent({ model: chat(...at), tools }).invoke(ask, bound)).messages.at(-1).content,
  structured: async (...at) => chat(...at).withStructuredOutput(Person, { method: "functionCalling" }).invoke(ASKED),
  "structured with tools": async (...at) => {
    const agent = createAgent({ model: chat(...at), tools, responseFormat: toolStrategy(Person) });
    return (await agent.invoke(ask, bound)).structuredResponse;
  },
  "three turns": async (...at) => {
    const agent = createAgent({ model: chat(...at), tools: [], checkpointer: new MemorySaver() });
    const thread = { ...bound, configurable: { thread_id: at.join() } };
    let messages;
    for (const content of ["你是谁?", "然后呢?", "你是谁?"]) {
      ({ messages } = await agent.invoke({ messages: [{ role: "user", content }] }, thread));
    }
    if (messages.length !== 6) throw new RangeError(`${messages.length} messages`);
    return messages.at(-1).content;
  },
});
