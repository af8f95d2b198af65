// The views without a server: what is drawn stands in the page as JSON.

import { h, put, button, prose, shown } from "./dom.js";
import { exchangeView, section } from "./exchange.js";
import { comparison } from "./compare.js";
import { t, sentence, language, setLanguage } from "./words.js";

const MARKS = { passed: "✓", skipped: "–" };

function several(exchanges) {
  if (exchanges.length === 1) return exchangeView(exchanges[0]);
  const place = h("div", {});
  const list = h("nav", { class: "picker", "aria-label": t("Exchanges") });
  const choose = (number) => {
    put(place, exchangeView(exchanges[number]));
    list.querySelectorAll("button").forEach((one, at) => one.setAttribute("aria-pressed", String(at === number)));
  };
  put(list, exchanges.map((one, number) => button(`#${one.number || number + 1} ${one.title || one.chip || ""} ${one.status ?? "–"}`, () => choose(number))));
  choose(exchanges.length - 1);
  return h("div", {}, list, place);
}

function survival({ chips, tests, summary, meanings }) {
  const told = tests.flatMap(({ test, chips: fates }) => Object.entries(fates).filter(([, one]) => one.says).map(([chip, one]) => ({ test, chip, ...one })));
  const kinds = [...new Set(tests.flatMap((one) => Object.values(one.chips).map((fate) => fate.fate)))];
  return h("div", {},
    h("p", { class: "lead" }, summary),
    section(t("Which test survives which chip"), h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": t("Which test survives which chip") }, h("table", { class: "survival" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("test")), chips.map((chip) => h("th", { scope: "col" }, chip)))),
      h("tbody", {}, tests.map(({ test, chips: fates }) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, test)), chips.map((chip) => {
        const one = fates[chip];
        if (!one) return h("td", { class: "dim" }, "–");
        return h("td", { class: one.fate === "passed" ? "fate good" : one.fate === "skipped" ? "fate dim" : "fate bad", title: one.says || null },
          MARKS[one.fate] || "✕", " ", one.fate === "exception" ? one.detail : one.fate);
      })))))),
    h("dl", { class: "keys" }, kinds.map((kind) => h("div", {}, h("dt", {}, kind), h("dd", { class: "dim" }, sentence(meanings[kind] || "")))))),
    told.length > 0 && section(t("What was said"), h("ul", { class: "findings" }, told.map((one) => h("li", { class: "bad" },
      h("div", {}, h("p", {}, h("b", {}, one.chip), " ", h("code", {}, one.test)), h("p", { class: "dim" }, prose(shown(one.says)))))))));
}

// What counts as drift, and how much more was seen that does not.
function countsOf(rows) {
  const drifted = rows.filter((row) => row.severity !== "observed").length;
  const more = rows.length - drifted;
  return [drifted ? `${drifted} ${t("differences")}` : t("no drift"), more > 0 && `${more} ${t("more observed")}`].filter(Boolean).join(" · ");
}

function drift({ chips }) {
  return h("div", {}, chips.map((one) => section(`${one.chip}: ${countsOf(one.rows)} · ${one.exchanges} ${t("exchanges")}`,
    one.rows.length > 0 && h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": one.chip }, h("table", { class: "differs" },
      h("thead", {}, h("tr", {}, [t("field"), t("mock"), t("live"), t("severity")].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, one.rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.field), h("td", {}, row.mock), h("td", {}, row.live),
        h("td", { class: `nowrap ${row.severity === "observed" ? "dim" : "bad"}` }, row.severity)))))),
    one.patch && h("details", {}, h("summary", {}, t("the patch to the profile")), h("pre", { class: "code", tabindex: "0" }, one.patch)),
    one.pairs.map((pair) => h("details", { class: "pair", ontoggle: unfold(() => comparison(...pair)) }, h("summary", {}, pair[1].title))))));
}

// Draws what a folded part holds when it is first unfolded: there may be many.
function unfold(draw) {
  let drawn = false;
  return (event) => {
    if (!event.target.open || drawn || event.target !== event.currentTarget) return;
    drawn = true;
    event.currentTarget.append(draw());
  };
}

function contract({ findings }) {
  const parts = findings.filter((one) => one.exchange);
  return parts.length > 0 && section(t("What went over the wire"), parts.map((one, number) => {
    const made = h("details", { class: "pair", ontoggle: unfold(() => exchangeView(one.exchange)) }, h("summary", {}, `${one.chip}: ${one.clause}`));
    made.open = number === 0;
    return made;
  }));
}

const DRAWN = {
  exchanges: ({ exchanges }) => several(exchanges),
  compare: ({ pair }) => comparison(...pair),
  survival, drift, contract,
};

const stage = document.getElementById("main");

function drawAll() {
  const view = stage.dataset.view;
  const data = JSON.parse(document.getElementById("data").textContent);
  const title = document.body.classList.contains("titled") ? null : h("h1", {}, document.title);
  put(stage, h("div", { class: "page" }, h("div", { class: "bar" }, title, h("span", { class: "grow" }), button(language() === "zh" ? "English" : "中文", () => {
    setLanguage(language() === "zh" ? "en" : "zh");
    drawAll();
  }, { class: "quiet" })), DRAWN[view](data)));
}

setLanguage(language());
drawAll();
