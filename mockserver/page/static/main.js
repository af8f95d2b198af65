// The page: which view is shown, the bar above it, and the keyboard.

import { h, put, button, select } from "./dom.js";
import { store, onChange, follow, meet } from "./store.js";
import { journalView } from "./journal.js";
import { compareView } from "./compare-page.js";
import { chipsView } from "./chips.js";
import { setupView } from "./setup.js";
import { verdictView } from "./verdict.js";
import { t, language, setLanguage } from "./words.js";

const THEME = "genstudio-mock-theme";
const VIEWS = [
  ["journal", "Journal", journalView], ["compare", "Compare", compareView], ["chips", "Chips", chipsView],
  ["setup", "Faults and answers", setupView], ["verdict", "Verdict", verdictView],
];
const place = document.getElementById("main");
let current = null;
let view = "journal";

function parts() {
  return location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
}

function go(path, quiet = false) {
  if (quiet) history.replaceState(null, "", `#/${path}`);
  else if (location.hash === `#/${path}`) show();
  else location.hash = `/${path}`;
}

function show() {
  current?.stop();
  const [name, ...route] = parts();
  const [found, title, draw] = VIEWS.find(([one]) => one === name) || VIEWS[0];
  view = found;
  document.title = `${t(title)} · genstudio-mock`;
  put(place);
  place.className = `view-${found}`;
  current = draw(place, route, go);
  bar();
}

function theme(name) {
  if (name === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", name);
}

function bar() {
  const chosen = localStorage.getItem(THEME) || "auto";
  const spaces = view === "journal" ? [["*", t("all namespaces")], ...store.namespaces.map((one) => [one, one])] : store.namespaces.map((one) => [one, one]);
  const value = view === "journal" && store.everyNamespace ? "*" : store.namespace;
  put(document.getElementById("top"),
    h("a", { class: "brand", href: "#/journal" }, h("img", { src: "icon.svg", alt: "", width: "22", height: "22" }), h("b", {}, "genstudio-mock"), h("span", { class: "tag" }, store.health.edition || "…")),
    h("nav", { "aria-label": t("Views") }, VIEWS.map(([name, title]) => h("a", { href: `#/${name}`, "aria-current": name === view ? "page" : null }, t(title)))),
    h("span", { class: "grow" }),
    h("span", { class: "lost", role: "status" }, store.lost ? t("The mock does not answer; asking again …") : ""),
    h("div", { class: "bar tools" },
      select(spaces, value, (one) => {
        store.everyNamespace = one === "*";
        store.namespace = one === "*" ? "default" : one;
        show();
      }, { "aria-label": t("Namespace"), class: "spaces" }),
      button(language() === "zh" ? "English" : "中文", () => {
        setLanguage(language() === "zh" ? "en" : "zh");
        show();
      }, { class: "quiet", lang: language() === "zh" ? "en" : "zh", "data-act": "language" }),
      button({ auto: "◐", light: "○", dark: "●" }[chosen], () => {
        const next = { auto: "light", light: "dark", dark: "auto" }[chosen];
        localStorage.setItem(THEME, next);
        theme(next);
        bar();
      }, { class: "quiet", "aria-label": `${t("Theme")}: ${t(chosen)}`, title: `${t("Theme")}: ${t(chosen)}` }),
      button("?", help, { class: "quiet", "aria-label": t("Help"), title: t("Help") })));
}

function help() {
  const keys = [
    ["j / k", t("next and previous exchange")], ["Enter", t("go into the exchange")], ["c", t("compare: once on each of two exchanges")],
    ["/", t("filter")], ["p", t("pause")], ["← →", t("frames of the time line that has the focus")], ["1 … 5", t("the views")], ["Esc", t("back")], ["?", t("this help")],
  ];
  const dialog = h("dialog", { class: "help", "aria-labelledby": "help-title", onclose: () => dialog.remove() },
    h("h2", { id: "help-title" }, t("Keyboard")),
    h("dl", { class: "keys" }, keys.map(([key, says]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, says)))),
    h("p", { class: "dim" }, `genstudio-mock ${store.health.version}`),
    h("form", { method: "dialog", class: "bar end" }, h("button", { class: "primary" }, t("close"))));
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest("input, textarea, select");
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Enter" && event.target.closest("button, a, summary")) return;
  const act = { ...current?.keys, "?": help, ...Object.fromEntries(VIEWS.map(([name], at) => [String(at + 1), () => go(name)])) }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

window.addEventListener("hashchange", show);
let known = "";
onChange(() => {
  const now = `${store.namespaces.join()} ${store.lost}`;
  if (now !== known) {
    known = now;
    bar();
  }
});
theme(localStorage.getItem(THEME) || "auto");
setLanguage(language());
bar();
meet().then(show, (error) => {
  store.lost = error.message;
  show();
}).then(follow);
