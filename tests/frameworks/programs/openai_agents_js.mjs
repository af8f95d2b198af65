import { Agent, OpenAIChatCompletionsModel, Runner, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";
import { ASKED, KEY, Person, getTime, getWeather, run } from "./common.mjs";

setTracingDisabled(true);
const tools = [
  tool({ name: "get_weather", description: "Get the weather in a city.", parameters: z.object({ city: z.string() }), execute: getWeather }),
  tool({ name: "get_time", description: "Get the time in a zone.", parameters: z.object({ zone: z.string() }), execute: getTime }),
];
const agent = (baseURL, model, more = {}) =>
  new Agent({ name: "helper", model: new OpenAIChatCompletionsModel(new OpenAI({ apiKey: KEY, baseURL, maxRetries: 0 }), model), ...more });
const runner = new Runner({ tracingDisabled: true });
const streamed = async (one) => {
  const running = await runner.run(one, ASKED, { stream: true });
  let text = "";
  for await (const part of running.toTextStream()) text += part;
  await running.completed;
  return text;
};

await run({
  text: async (url, model) => (await runner.run(agent(url, model), ASKED)).finalOutput,
  stream: async (url, model) => await streamed(agent(url, model)),
  loop: async (url, model) => (await runner.run(agent(url, model, { tools }), ASKED)).finalOutput,
  structured: async (url, model) => (await runner.run(agent(url, model, { outputType: Person }), ASKED)).finalOutput,
  "structured with tools": async (url, model) =>
    (await runner.run(agent(url, model, { outputType: Person, tools }), ASKED)).finalOutput,
  "two tools, streamed": async (url, model) => await streamed(agent(url, model, { tools })),
});
