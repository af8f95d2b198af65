// An exchange, a fault and an answer as lines to paste: for a shell, for Python, for pytest.

function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\"'\"'")}'`;
}

export function python(value, indent = "") {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  const deeper = `${indent}    `;
  const one = Array.isArray(value)
    ? value.map((item) => python(item, deeper))
    : Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${python(item, deeper)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const flat = `${open}${one.join(", ")}${close}`;
  if (flat.length + indent.length <= 96 && !flat.includes("\n")) return flat;
  return `${open}\n${one.map((item) => `${deeper}${item},\n`).join("")}${indent}${close}`;
}

const SENT_AGAIN = ["x-mock-quirks", "x-mock-fault", "x-mock-answer", "x-mock-seed"];

export function mockHeaders(request) {
  return Object.fromEntries(SENT_AGAIN.filter((name) => request.headers[name]).map((name) => [name, request.headers[name]]));
}

export function curlOf(request, origin) {
  const lines = [`curl -sN ${quoted(origin + request.path)}`];
  if (request.method !== "GET") {
    const headers = { Authorization: "Bearer $API_KEY", "Content-Type": "application/json", ...mockHeaders(request) };
    for (const [name, value] of Object.entries(headers)) {
      lines.push(name === "Authorization" ? `-H "${name}: ${value}"` : `-H ${quoted(`${name}: ${value}`)}`);
    }
    lines.push(`-d ${quoted(request.body)}`);
  }
  return lines.join(" \\\n  ");
}

function bodyOf(request) {
  try {
    const body = JSON.parse(request.body);
    return body && typeof body === "object" && !Array.isArray(body) ? body : {};
  } catch {
    return {};
  }
}

function createArguments(request, indent) {
  const known = ["model", "messages", "stream", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "n",
    "seed", "tools", "tool_choice", "parallel_tool_calls", "response_format", "stream_options", "user",
    "presence_penalty", "frequency_penalty"];
  const body = bodyOf(request);
  const given = { ...body, model: body.model ?? "" };
  const more = Object.fromEntries(Object.entries(given).filter(([name]) => !known.includes(name)));
  const lines = Object.entries(given).filter(([name]) => known.includes(name))
    .map(([name, value]) => `${indent}    ${name}=${python(value, `${indent}    `)},\n`);
  if (Object.keys(more).length) lines.push(`${indent}    extra_body=${python(more, `${indent}    `)},\n`);
  const headers = mockHeaders(request);
  if (Object.keys(headers).length) lines.push(`${indent}    extra_headers=${python(headers)},\n`);
  return lines.join("");
}

function readLines(request, indent) {
  const streams = bodyOf(request).stream === true;
  const call = `client.chat.completions.create(\n${createArguments(request, indent)}${indent})`;
  return streams
    ? `${indent}stream = ${call}\n${indent}text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)\n`
    : `${indent}completion = ${call}\n${indent}text = completion.choices[0].message.content\n`;
}

export function pythonOf(request, origin) {
  const base = origin + request.path.replace(/\/chat\/completions\/?$/, "");
  return `from openai import OpenAI\n\nclient = OpenAI(base_url=${JSON.stringify(base)}, api_key="any-key")\n`
    + `${readLines(request, "")}print(text)\n`;
}

export function pytestOf(exchange, text) {
  const chip = exchange.chip ? `.chip(${JSON.stringify(exchange.chip)})` : "";
  const model = exchange.model ? `.model(${JSON.stringify(exchange.model)})` : "";
  return `from openai import OpenAI\n\n\ndef test_what_the_client_shows(genstudio_mock):\n`
    + `    mock = genstudio_mock${model}${chip}\n`
    + `    client = OpenAI(base_url=mock.base_url, api_key=mock.api_key)\n`
    + readLines(exchange.request, "    ")
    + `    mock.assert_client_saw(text)${text ? `  # ${JSON.stringify(text.slice(0, 60))}` : ""}\n`;
}

// --- faults and answers ----------------------------------------------------------------------------------------------

// What was typed for a setting: JSON where its type or its first letter asks for it, or else the text, which the mock judges.
export function settingOf(type, text) {
  if (type === "boolean") return text === "true";
  if (type === "string" && !text.startsWith('"')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

// A text that would end early, or be taken for JSON, is written as JSON.
function settingText(value) {
  return typeof value === "object" || /^["{[]|[,;\s]/.test(value) ? JSON.stringify(value) : value;
}

export function faultText(fault) {
  const settings = Object.entries(fault).filter(([name]) => name !== "type").map(([name, value]) => `;${name}=${settingText(value)}`);
  return fault.type + settings.join("");
}

function keywords(given) {
  return Object.entries(given).filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => `, ${name}=${python(value)}`).join("");
}

function control(origin, path, body, namespace) {
  const key = namespace === "default" ? "" : ` \\\n  -H 'X-Mock-Namespace: ${namespace}'`;
  return `curl -X POST ${origin}/_mock${path}${key} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify(body))}`;
}

export function faultLines(body, origin, namespace) {
  const options = keywords({
    times: body.times, every: body.every === 1 ? null : body.every,
    probability: body.probability === 1 ? null : body.probability, ...body.match,
  });
  const text = python(faultText(body.fault));
  return {
    Python: `session.arm(${text}${options})`,
    curl: control(origin, "/faults", body, namespace),
    pytest: `@pytest.mark.fault(${text}${options})\ndef test_my_app(genstudio_mock): ...`,
  };
}

export function answerLines(body, origin, namespace) {
  const { text, ...parts } = body.answer;
  const given = keywords({ ...parts, ...body.match, times: body.times === 1 ? null : body.times ?? undefined });
  const always = body.times === null ? ", times=None" : "";
  const call = `answer(${text === undefined ? "" : python(text)}${given}${always})`.replace("(, ", "(");
  return {
    Python: `session.${call}`,
    curl: control(origin, "/answers", body, namespace),
    pytest: `def test_my_app(genstudio_mock):\n    genstudio_mock.${call}`,
  };
}

export function clockLines(advance, origin, namespace) {
  return {
    Python: `session.clock.advance(ms=${advance})`,
    curl: control(origin, "/clock", { advance_ms: advance }, namespace),
    pytest: `def test_my_app(genstudio_mock):\n    genstudio_mock.clock.advance(ms=${advance})`,
  };
}
