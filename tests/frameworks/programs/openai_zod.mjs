import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { ASKED, KEY, Person, getTime, getWeather, run } from "./common.mjs";

const messages = [{ role: "user", content: ASKED }];
const completions = (baseURL) => new OpenAI({ apiKey: KEY, baseURL, maxRetries: 0 }).chat.completions;
const tools = [
  { name: "get_weather", parameters: z.object({ city: z.string() }), function: getWeather },
  { name: "get_time", parameters: z.object({ zone: z.string() }), function: getTime },
].map(zodFunction);
const response_format = zodResponseFormat(Person, "person");

await run({
  text: async (url, model) =>
    (await completions(url).create({ model, messages })).choices[0].message.content,
  stream: async (url, model) => await completions(url).stream({ model, messages }).finalContent(),
  loop: async (url, model) => await completions(url).runTools({ model, messages, tools }).finalContent(),
  structured: async (url, model) =>
    (await completions(url).parse({ model, messages, response_format })).choices[0].message.parsed,
  "structured with tools": async (url, model) => {
    const runner = completions(url).runTools({ model, messages, tools, response_format });
    return JSON.parse(await runner.finalContent());
  },
  "two tools, streamed": async (url, model) =>
    await completions(url).runTools({ model, messages, tools, stream: true }).finalContent(),
  "structured, streamed": async (url, model) =>
    (await completions(url).stream({ model, messages, response_format }).finalChatCompletion()).choices[0].message
      .parsed,
});
