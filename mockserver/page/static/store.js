// What the page knows: the journal's rows as they come, the mock's chips and models, and what is chosen.

import { call, live } from "./api.js";

const MOST_ROWS = 20000;
const AGAIN_MS = 1500;

export const store = {
  rows: new Map(),
  order: [],
  namespaces: ["default"],
  namespace: "default",
  everyNamespace: true,
  health: { edition: "", chips: [], models: [], version: "" },
  editions: [],
  quirks: [],
  paused: false,
  lost: "",
  compareWith: null,
};

const listeners = new Set();

export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(changed) {
  for (const listener of listeners) listener(changed);
}

export function keyOfRow(row) {
  return `${row.namespace}/${row.number}`;
}

export function latest(namespace) {
  let most = 0;
  for (const row of store.rows.values()) if (row.namespace === namespace && row.number > most) most = row.number;
  return most;
}

function take(news, changed) {
  for (const name of news.cleared) forget(name);
  const base = Date.now();
  for (const row of news.rows) {
    const key = keyOfRow(row);
    const known = store.rows.get(key);
    row.key = key;
    row.time = known?.time ?? base - (news.elapsed_ms[row.namespace] - row.at_ms);
    if (known && known.at_ms !== row.at_ms) remove(key);
    if (!store.rows.has(key)) store.order.push(key);
    store.rows.set(key, row);
    changed.add(key);
  }
  while (store.order.length > MOST_ROWS) store.rows.delete(store.order.shift());
}

function remove(key) {
  store.rows.delete(key);
  store.order = store.order.filter((one) => one !== key);
}

export function forget(namespace) {
  for (const [key, row] of store.rows) if (row.namespace === namespace && row.ending !== null) store.rows.delete(key);
  store.order = store.order.filter((one) => store.rows.has(one));
}

export async function follow() {
  const page = crypto.getRandomValues(new Uint32Array(2)).join("-");
  for (;;) {
    while (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
    try {
      const news = await live(page);
      if (news.fresh) {
        store.rows.clear();
        store.order = [];
      }
      store.namespaces = news.namespaces;
      const changed = new Set();
      take(news, changed);
      const back = store.lost;
      store.lost = "";
      if (changed.size || news.fresh || news.cleared.length || back) tell(changed);
    } catch (error) {
      store.lost = String(error.message || error);
      tell(new Set());
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

export async function meet() {
  store.health = await call("GET", "/health");
  [store.editions, store.quirks] = await Promise.all([call("GET", "/editions"), call("GET", "/quirks")]);
}

export function claimsOf(chip) {
  const served = store.editions.find((one) => one.served);
  return served?.chips.find((one) => one.name === chip)?.quirks ?? null;
}

// The quirks of one axis exclude each other; the table lists an axis from its standard on.
export function axes() {
  const found = [];
  for (const one of store.quirks) {
    if (one.standard) found.push({ stage: one.stage, standard: one, others: [] });
    else found.at(-1).others.push(one);
  }
  return found;
}

// What differs from the standard in an exchange: the chip's quirks, and those that the request switched.
function claimsIn(exchange) {
  let claims = exchange.chip ? claimsOf(exchange.chip) : null;
  const switched = exchange.request.headers["x-mock-quirks"];
  if (!claims || !switched) return claims;
  for (const word of switched.split(",").map((one) => one.trim()).filter(Boolean)) {
    const name = word.replace(/^[+-]/, "");
    const axis = axes().find((one) => one.standard.name === name || one.others.some((other) => other.name === name));
    if (!axis) continue;
    const names = axis.others.map((one) => one.name);
    claims = claims.filter((one) => !names.includes(one.name));
    const minus = word.startsWith("-");
    const now = name === axis.standard.name ? (minus ? axis.others[0] : null) : (minus ? null : axis.others.find((one) => one.name === name));
    if (now) claims = [...claims, { name: now.name, says: now.says, claim: "asked for", source: "X-Mock-Quirks" }];
  }
  return claims;
}

// An exchange of the journal with what is known of its chip.
export async function load(namespace, number) {
  const exchange = await call("GET", `/exchanges/${number}`, undefined, namespace);
  exchange.claims = claimsIn(exchange);
  return exchange;
}
