// What every program shares: the tasks' words and tools, and how a result is told.
import { z } from "zod";

export const ASKED = "What is the weather in Paris, and what time is it there?";
export const MOST_TURNS = 8;
export const KEY = "sk-any";
export const Person = z.object({ name: z.string(), age: z.number().int() });
export const called = [];
export const getWeather = async ({ city }) => {
  called.push("get_weather");
  return `sunny in ${city}`;
};
export const getTime = async ({ zone }) => {
  called.push("get_time");
  return `noon in ${zone}`;
};
const TASK_MS = 100_000;
const bounded = (work) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error("late"), { name: "Timeout" })), TASK_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};

export async function run(tasks) {
  for (const { name: target, base_url, model } of JSON.parse(process.argv[2])) {
    for (const [name, task] of Object.entries(tasks)) {
      called.length = 0;
      let result;
      try {
        const value = await bounded(task(base_url, model));
        if (name.startsWith("structured")) result = Person.safeParse(value).success ? "reads" : "empty";
        else result = value && String(value).trim() ? "reads" : "empty";
        if (name === "loop" && !called.length) result += ", calls nothing";
      } catch (error) {
        result = `raises ${error.name === "Error" ? (error.constructor?.name ?? "Error") : error.name}`;
        if (process.env.TRACE) console.error(error);
      }
      console.log("RESULT " + JSON.stringify([target, name, result]));
    }
  }
  process.exit(0);
}
