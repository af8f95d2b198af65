// The mock's control API, asked with the namespace and, off loopback, the token that this tab was given.

import { h, field } from "./dom.js";
import { t } from "./words.js";

const CONTROL = "/_mock";
const LIVE = `${CONTROL}/ui/live`;
const SEND = `${CONTROL}/ui/send`;
const TOKEN = "genstudio-mock-token";
const LONGEST_SEND_MS = 20000;

export class ApiError extends Error {}

function headersFor(namespace, more) {
  const headers = { ...more };
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers["X-Mock-Token"] = token;
  if (namespace) headers["X-Mock-Namespace"] = namespace;
  return headers;
}

let asking = null;

// Asks once for the token, whoever needs it; it is kept for the tab.
function askForToken() {
  asking ||= new Promise((resolve) => {
    const input = h("input", { type: "password", autocomplete: "off", spellcheck: "false", id: "token" });
    const dialog = h("dialog", { class: "token", "aria-labelledby": "token-title" },
      h("form", { method: "dialog" },
        h("h2", { id: "token-title" }, t("This mock asks for its token")),
        h("p", { class: "dim" }, t("It is listening beyond this machine; the server printed the token when it started.")),
        field("X-Mock-Token", input),
        h("p", { class: "bar end" }, h("button", { type: "submit", class: "primary" }, t("Go on")))));
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(TOKEN, input.value.trim());
      dialog.remove();
      asking = null;
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}

async function asked(url, options, namespace) {
  for (;;) {
    const response = await fetch(url, { ...options, headers: headersFor(namespace, options.headers), cache: "no-store" });
    if (response.status !== 401 || !(await response.clone().text()).includes("X-Mock-Token")) return response;
    await askForToken();
  }
}

export async function call(method, path, body, namespace = "default") {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const response = await asked(CONTROL + path, options, namespace);
  const text = await response.text();
  if (!response.ok) {
    let said = text;
    try {
      said = JSON.parse(text).error;
    } catch { /* it is no JSON; its text is told */ }
    throw new ApiError(said);
  }
  return path.endsWith("/fixture") ? text : JSON.parse(text);
}

export async function live(page) {
  const response = await asked(`${LIVE}?page=${page}`, { method: "GET" }, null);
  if (!response.ok) throw new ApiError(await response.text());
  return response.json();
}

// Sends a request as any client would, and gives the exchange that came of it.
export async function send({ path, body, headers = {}, namespace = "default", after = 0 }) {
  const leave = AbortSignal.timeout(LONGEST_SEND_MS);
  try {
    const response = await asked(SEND + encodeURI(path), {
      method: "POST", body, signal: leave, headers: { "Content-Type": "application/json", ...headers },
    }, namespace);
    await response.arrayBuffer();
  } catch { /* a fault may cut or reset the answer: the journal tells how it went */ }
  const mine = (rows) => rows.findLast((one) => one.request.path === path && one.request.body === body);
  const found = mine(await call("GET", `/exchanges?after=${after}`, undefined, namespace))
    ?? (after ? mine(await call("GET", "/exchanges", undefined, namespace)) : undefined);
  if (!found) throw new ApiError(t("The request is not in the journal; was it cleared meanwhile?"));
  return call("GET", `/exchanges/${found.number}`, undefined, namespace);
}
