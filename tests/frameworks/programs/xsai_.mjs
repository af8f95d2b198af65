import { generateObject, generateText, streamText, tool } from "xsai";
import { z } from "zod";
import { ASKED, KEY, Person, getTime, getWeather, run } from "./common.mjs";

const messages = [{ role: "user", content: ASKED }];
const tools = await Promise.all([
  tool({ name: "get_weather", description: "Get the weather in a city.", parameters: z.object({ city: z.string() }), execute: getWeather }),
  tool({ name: "get_time", description: "Get the time in a zone.", parameters: z.object({ zone: z.string() }), execute: getTime }),
]);
const ask = (url, model, more = {}) => ({ apiKey: KEY, baseURL: `${url}/`, model, messages, ...more });
const streamed = async (asked) => {
  const { textStream } = streamText(asked);
  let text = "";
  for await (const part of textStream) text += part;
  return text;
};

await run({
  text: async (url, model) => (await generateText(ask(url, model))).text,
  stream: async (url, model) => await streamed(ask(url, model)),
  loop: async (url, model) => (await generateText(ask(url, model, { tools, maxSteps: 8 }))).text,
  structured: async (url, model) => (await generateObject(ask(url, model, { schema: Person }))).object,
  "two tools, streamed": async (url, model) => await streamed(ask(url, model, { tools, maxSteps: 8 })),
});
