// What the exchanges say of the client.

import { h, put } from "./dom.js";
import { call } from "./api.js";
import { store, onChange } from "./store.js";
import { section } from "./exchange.js";
import { t, sentence } from "./words.js";

const MARKS = { good: "✓", bad: "✕", note: "i" };
const MOST_LINKS = 24;

// The same finding of many calls stands once, with the exchanges of all.
function once(findings) {
  const found = new Map();
  for (const one of findings) {
    const key = [one.mark, one.rule, one.says, one.advice].join("\n");
    const before = found.get(key);
    found.set(key, before ? { ...before, times: before.times + 1, exchanges: [...before.exchanges, ...one.exchanges] } : { ...one, times: 1 });
  }
  return [...found.values()];
}

export function verdictView(place) {
  const result = h("div", {});
  put(place, h("div", { class: "page" }, result));
  const refresh = async () => {
    const verdict = await call("GET", "/verdict", undefined, store.namespace);
    const { findings } = verdict;
    const title = !findings.length ? t("Nothing went wrong yet, so there is nothing to say of the client.")
      : verdict.resilient ? t("The client took what went wrong well.") : t("The client is not resilient.");
    put(result,
      h("div", { class: `verdict ${!findings.length ? "" : verdict.resilient ? "good" : "bad"}` }, h("h1", {}, title),
        h("p", { class: "dim" }, `${t("Namespace")} ${store.namespace}${t(".")} ${t("Arm a fault, let your client run, and look here again.")}`)),
      findings.length > 0 && section(t("Findings"), h("ul", { class: "findings" }, once(findings).map((one) => h("li", { class: one.mark },
        h("span", { class: "mark", role: "img", "aria-label": t(one.mark) }, MARKS[one.mark]),
        h("div", {}, h("p", {}, h("code", {}, one.rule), " ", sentence(one.says), one.times > 1 && h("span", { class: "dim" }, ` · ${one.times} ×`)), one.advice && h("p", { class: "dim" }, t(one.advice)),
          h("p", { class: "refs" }, one.exchanges.slice(0, MOST_LINKS).map((number) => h("a", { href: `#/journal/${store.namespace}/${number}` }, `#${number}`)),
            one.exchanges.length > MOST_LINKS && h("span", { class: "dim" }, t("and {count} more", { count: one.exchanges.length - MOST_LINKS })))))))));
  };
  const again = () => refresh().catch((error) => put(result, h("p", { class: "note" }, error.message)));
  again();
  return { stop: onChange(again), keys: {} };
}
