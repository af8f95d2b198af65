// The chips: which has which quirk and how that is known, and what a quirk does to the bytes.

import { h, put, button, field, select } from "./dom.js";
import { send } from "./api.js";
import { store, latest, axes } from "./store.js";
import { readWire } from "./wire.js";
import { visibleText } from "./bytes.js";
import { bytesSideBySide } from "./compare.js";
import { section, claimRow, timeLines } from "./exchange.js";
import { sampleRequest } from "./journal.js";
import { t, sentence } from "./words.js";

const MARKS = { documented: "●", observed: "◐", assumed: "○" };
const SOON_MS = 120;

function matrix(chosen, choose) {
  const columns = store.editions.flatMap((edition) => edition.chips.map((chip) => ({ edition, chip })));
  const byQuirk = new Map();
  columns.forEach(({ chip }, at) => chip.quirks.forEach((one) => {
    if (!byQuirk.has(one.name)) byQuirk.set(one.name, { says: one.says, cells: new Map() });
    byQuirk.get(one.name).cells.set(at, one);
  }));
  const ofServed = ({ cells }) => [...cells.keys()].some((at) => columns[at].edition.served);
  const rows = [...byQuirk].sort(([, one], [, other]) => ofServed(other) - ofServed(one) || other.cells.size - one.cells.size);
  return h("div", { class: "wide matrix", tabindex: "0", role: "region", "aria-label": t("Quirks by edition and chip") }, h("table", {},
    h("thead", {},
      h("tr", {}, h("td", {}), store.editions.map((one) => h("th", { scope: "colgroup", colspan: String(one.chips.length), class: "edition" }, one.name, one.served && h("span", { class: "tag good" }, t("served"))))),
      h("tr", {}, h("th", { scope: "col" }, t("quirk")), columns.map(({ edition, chip }) => h("th", { scope: "col", class: edition.chips[0] === chip ? "first" : null },
        button(chip.name, () => choose(edition, chip), { class: `link chip-name ${chosen === chip ? "on" : ""}` }))))),
    h("tbody", {}, rows.map(([name, { says, cells }]) => h("tr", {},
      h("th", { scope: "row", title: sentence(says) }, h("code", {}, name)),
      columns.map(({ edition, chip }, at) => {
        const one = cells.get(at);
        return h("td", { class: edition.chips[0] === chip ? "first" : null, title: one ? `${chip.name}: ${sentence(says)} ${t(one.claim)}: ${one.source}` : null },
          one && h("span", { class: `claim-mark ${one.claim}`, role: "img", "aria-label": t(one.claim) }, MARKS[one.claim]));
      }))))));
}

function chipPanel(edition, chip) {
  return section(`${chip.name} · ${edition.name}`, h("p", {}, sentence(chip.summary)),
    chip.quirks.length ? h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": chip.name }, h("table", { class: "claims" },
      h("thead", {}, h("tr", {}, [t("quirk"), t("what it does"), t("claim"), t("source")].map((one) => h("th", { scope: "col" }, one)))),
      h("tbody", {}, chip.quirks.map(claimRow)))) : h("p", { class: "dim" }, t("Nothing: this chip speaks as the standard has it.")));
}

function tryPanel(chip) {
  const own = new Set(chip.quirks.map((one) => one.name));
  const ticked = new Set(own);
  const result = h("div", { class: "tried" });
  const said = h("p", { class: "note", role: "status" });
  const told = h("code", { class: "dim" });
  const question = h("input", { type: "text", value: "你是谁?", class: "question", onchange: () => soon() });
  let timer = 0;
  let plain = null;
  const ask = async (headers) => {
    const { namespace } = store;
    return send({ ...sampleRequest(chip.name, question.value), headers, namespace, after: latest(namespace) });
  };
  // What is ticked beside the chip's own, and what of its own is not, as the header has it.
  const switched = () => {
    const words = [];
    for (const { others } of axes()) {
      const now = others.find((one) => ticked.has(one.name))?.name;
      const before = others.find((one) => own.has(one.name))?.name;
      if (now !== before) words.push(now ? `+${now}` : `-${before}`);
    }
    return words.join(",");
  };
  const run = async () => {
    const header = switched();
    told.textContent = header ? `X-Mock-Quirks: ${header}` : "";
    said.textContent = "";
    try {
      if (plain?.question !== question.value) plain = { question: question.value, exchange: await ask({}) };
      const changed = header ? await ask({ "X-Mock-Quirks": header }) : plain.exchange;
      if (header !== switched()) return;
      const wires = [plain.exchange, changed].map((one) => readWire(one.response));
      put(result, header
        ? [timeLines(wires, [chip.name, `${chip.name} ${header}`]).element, bytesSideBySide(wires)]
        : [timeLines([wires[0]], [chip.name]).element, h("pre", { class: "bytes", tabindex: "0", "aria-label": t("The stream as text") }, wires[0].events.map((one) => visibleText(one.text)))]);
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(run, SOON_MS);
  };
  const boxes = new Map();
  const tick = (axis, name, on) => {
    for (const one of axis.others) {
      ticked.delete(one.name);
      boxes.get(one.name).checked = on && one.name === name;
    }
    if (on) ticked.add(name);
    soon();
  };
  const box = (axis, one) => {
    const made = h("input", { type: "checkbox", onchange: (event) => tick(axis, one.name, event.target.checked), "data-quirk": one.name });
    made.checked = ticked.has(one.name);
    boxes.set(one.name, made);
    return h("label", { class: `check ${own.has(one.name) ? "own" : ""}`, title: sentence(one.says) }, made, h("span", {}, one.name));
  };
  const stages = [...new Set(axes().map((one) => one.stage))];
  put(result, h("p", {}, t("Tick a quirk and see the bytes change. Each try is a request like any client's: it stands in the journal, and a fault that is armed strikes it.")),
    h("p", {}, button(t("send"), run, { class: "primary", "data-act": "try" })));
  return section(`${t("Try a quirk on")} ${chip.name}`,
    h("div", { class: "try" },
      h("div", { class: "ticks" }, field(t("question"), question), stages.map((stage) => h("fieldset", {}, h("legend", {}, stage),
        axes().filter((one) => one.stage === stage).flatMap((axis) => axis.others.map((one) => box(axis, one)))))),
      h("div", { class: "tried-place" }, h("p", {}, told), said, result)));
}

export function chipsView(place, route, go) {
  const served = store.editions.find((one) => one.served) || store.editions[0];
  if (!served) {
    put(place, h("p", { class: "hint" }, t("No editions are known.")));
    return { stop: () => {}, keys: {} };
  }
  const edition = store.editions.find((one) => one.name === route[0]) || served;
  const odd = edition.chips.find((one) => one.quirks.some((quirk) => quirk.name === "json-lines"));
  const chip = edition.chips.find((one) => one.name === route[1]) || odd || edition.chips[0];
  const picker = h("div", { class: "bar chip-picker" }, field(t("edition"), select(store.editions.map((one) => one.name), edition.name, (name) => go(`chips/${name}`))),
    field(t("chip"), select(edition.chips.map((one) => one.name), chip.name, (name) => go(`chips/${edition.name}/${name}`))));
  const trying = h("div", {});
  put(place, h("div", { class: "page" },
    section(t("Quirks by edition and chip"),
      h("ul", { class: "legend" }, Object.entries(MARKS).map(([claim, mark]) => h("li", {}, h("span", { class: `claim-mark ${claim}`, "aria-hidden": "true" }, mark), t(claim)))),
      matrix(chip, (one, other) => go(`chips/${one.name}/${other.name}`))),
    picker, chipPanel(edition, chip), trying));
  if (edition.served) put(trying, tryPanel(chip));
  else put(trying, h("p", { class: "hint dim" }, t("Another edition is served; start the mock with --edition to try this one.")));
  return { stop: () => {}, keys: {} };
}
