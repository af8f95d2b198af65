// Faults, answers and the clock of a namespace; beside each action the lines that do the same.

import { h, put, button, field, select, shown, short, prose } from "./dom.js";
import { call } from "./api.js";
import { store, onChange } from "./store.js";
import { codeTabs, section } from "./exchange.js";
import { faultText, faultLines, settingOf, answerLines, clockLines } from "./code.js";
import { t, sentence } from "./words.js";

const EXAMPLES = { any: '{"error": "…"}', object: '{"x-name": "…"}', string: "…", integer: "1", number: "0.5" };

function number(text) {
  return text.trim() === "" ? null : Number(text);
}

function matchFields(changed) {
  const chip = select([["", t("any chip")], ...store.health.chips.map((one) => [one, one])], "", changed);
  const model = select([["", t("any model")], ...store.health.models.map((one) => [one, one])], "", changed);
  const contains = h("input", { type: "text", placeholder: t("any text"), oninput: changed });
  const read = () => Object.fromEntries([["chip", chip.value], ["model", model.value], ["contains", contains.value]].filter(([, one]) => one));
  return { read, fields: [field(t("chip"), chip), field(t("model"), model), field(t("message contains"), contains)] };
}

// A form with what it sends, the button that sends it, and the lines that do the same.
function actionForm(title, fields, read, lines, act, label) {
  const said = h("p", { class: "note", role: "status" });
  const code = h("div", {});
  const body = h("div", {});
  let shownBody = "";
  const changed = () => {
    const made = read();
    if (JSON.stringify(made) === shownBody) return;
    shownBody = JSON.stringify(made);
    put(code, codeTabs(lines(made)));
  };
  const press = button(label, async () => {
    said.textContent = "";
    said.classList.remove("good");
    try {
      await act(read());
      said.textContent = t("done");
      said.classList.add("good");
    } catch (error) {
      said.textContent = error.message;
    }
  }, { class: "primary" });
  body.addEventListener("input", changed);
  body.addEventListener("change", changed);
  put(body, h("div", { class: "form act" }, fields, press), said, code);
  changed();
  return { element: section(title, body), changed };
}

function faultForm(types, done) {
  const settings = h("div", { class: "form inner" });
  const says = h("p", { class: "dim" });
  let inputs = {};
  const kind = select(Object.keys(types), "cut" in types ? "cut" : Object.keys(types)[0], () => draw(), { id: "fault-type" });
  const draw = () => {
    const type = types[kind.value];
    put(says, prose(sentence(type.says)));
    inputs = Object.fromEntries(type.settings.map((name) => {
      const one = type.types[name];
      if (one === "boolean") return [name, select([["", "–"], "true", "false"], "")];
      return [name, h("input", { type: "text", inputmode: one === "integer" || one === "number" ? "decimal" : "text", placeholder: EXAMPLES[one] || one, id: `fault-${name}` })];
    }));
    put(settings, Object.entries(inputs).map(([name, input]) => field(name, input)));
    if (kind.value === "cut") inputs.after_frames.value = "4";
    if (kind.value === "status") inputs.status.value = "503";
  };
  const read = () => {
    const fault = { type: kind.value };
    for (const [name, input] of Object.entries(inputs)) {
      if (input.value.trim() !== "") fault[name] = settingOf(types[kind.value].types[name], input.value);
    }
    return { fault, match: match.read(), times: number(times.value), every: number(every.value) ?? 1, probability: number(probability.value) ?? 1 };
  };
  const match = matchFields(() => {});
  const times = h("input", { type: "number", min: "1", value: "1", placeholder: t("always"), id: "fault-times" });
  const every = h("input", { type: "number", min: "1", placeholder: "1" });
  const probability = h("input", { type: "number", min: "0", max: "1", step: "0.1", placeholder: "1" });
  draw();
  const form = actionForm(t("Arm a fault"), [h("div", { class: "form inner" }, field(t("fault"), kind), settings), h("div", { class: "form inner" }, match.fields),
    h("div", { class: "form inner" }, field(t("times"), times), field(t("every"), every), field(t("probability"), probability))],
    read, (body) => faultLines(body, location.origin, store.namespace),
    async (body) => {
      await call("POST", "/faults", body, store.namespace);
      done();
    }, t("arm"));
  form.element.querySelector(".form").before(says);
  return form.element;
}

function answerForm(done) {
  const kind = select([["text", t("text")], ["pieces", t("pieces, one a line")], ["error", t("error kind")]], "text");
  const text = h("textarea", { rows: "3", value: "你好", id: "answer-text" });
  const times = h("input", { type: "number", min: "1", value: "1", placeholder: t("always") });
  const delay = h("input", { type: "number", min: "0", placeholder: "0" });
  const match = matchFields(() => {});
  const read = () => {
    const answer = kind.value === "pieces" ? { pieces: text.value.split("\n") } : { [kind.value]: text.value };
    if (number(delay.value)) answer.delay_ms = number(delay.value);
    return { answer, match: match.read(), times: number(times.value) };
  };
  return actionForm(t("Script an answer"), [h("div", { class: "form inner said-what" }, field(t("what"), kind), field(t("said"), text)), h("div", { class: "form inner" }, match.fields),
    h("div", { class: "form inner" }, field(t("times"), times), field("delay_ms", delay))],
    read, (body) => answerLines(body, location.origin, store.namespace),
    async (body) => {
      await call("POST", "/answers", body, store.namespace);
      done();
    }, t("script")).element;
}

function clockForm(done) {
  const advance = h("input", { type: "number", min: "1", value: "60000" });
  const now = h("p", { class: "dim", role: "status" });
  let moved = 0;
  const form = actionForm(t("Move the clock on"), [field(t("milliseconds"), advance)], () => ({ advance_ms: number(advance.value) ?? 0 }),
    (body) => clockLines(body.advance_ms, location.origin, store.namespace),
    async (body) => {
      await call("POST", "/clock", body, store.namespace);
      moved += body.advance_ms;
      now.textContent = t("moved on by {seconds} s since this view was opened", { seconds: moved / 1000 });
      done();
    }, t("move on"));
  form.element.append(now);
  return form.element;
}

function matchText(match) {
  return Object.entries(match).map(([name, value]) => `${name}=${value}`).join(", ") || t("every request");
}

// A fault as it is written, which may be broken between its settings.
function armedTag(fault) {
  const text = faultText(Object.fromEntries(Object.entries(fault).filter(([, value]) => value !== null)));
  return h("span", { class: "tag fault" }, shown(short(text, 90)).split(/(?<=;)/).flatMap((part) => [part, h("wbr", {})]));
}

// A table that scrolls by itself where it is too wide.
function wideTable(label, props, ...children) {
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label }, h("table", props, children));
}

// The head of a table; a title stands where its numbers stand.
function heads(titles, numbers) {
  return h("thead", {}, h("tr", {}, titles.map((one, at) => h("th", { scope: "col", class: numbers.includes(at) ? "num" : null }, one))));
}

export function setupView(place) {
  const armed = h("div", {});
  const scripted = h("div", {});
  const refresh = async () => {
    const [faults, script] = await Promise.all([
      call("GET", "/faults", undefined, store.namespace), call("GET", "/answers", undefined, store.namespace)]);
    const removal = (path) => async () => {
      await call("DELETE", path, undefined, store.namespace);
      refresh();
    };
    put(armed, faults.length ? wideTable(t("Armed faults"), { class: "armed" },
      heads(["#", t("fault"), t("for"), t("struck"), t("out of"), ""], [0, 3]),
      h("tbody", {}, faults.map((one) => h("tr", {},
        h("td", { class: "num" }, String(one.number)),
        h("td", {}, armedTag(one.fault)),
        h("td", {}, shown(matchText(one.match))),
        h("td", { class: `num ${one.fired ? "bad" : "dim"}`, "data-fired": String(one.fired) }, `${one.fired} ×`),
        h("td", { class: "dim nowrap" }, one.times === null ? t("always") : String(one.times)),
        h("td", {}, button(t("disarm"), removal(`/faults/${one.number}`), { class: "quiet" })))))) : h("p", { class: "dim" }, t("No fault is armed.")));
    put(scripted, script.answers.length ? wideTable(t("Scripted answers"), {},
      heads(["#", t("for"), t("used"), t("out of"), ""], [0, 2]),
      h("tbody", {}, script.answers.map((one) => h("tr", {},
        h("td", { class: "num" }, String(one.number)), h("td", {}, shown(matchText(one.match))),
        h("td", { class: `num ${one.met ? "good" : "dim"}` }, `${one.used} ×`), h("td", { class: "dim nowrap" }, one.times === null ? t("always") : String(one.times)),
        h("td", {}, button(t("forget"), removal(`/answers/${one.number}`), { class: "quiet" })))))) : h("p", { class: "dim" }, t("No answer is scripted.")),
    script.unexpected > 0 && h("p", { class: "note" }, `${script.unexpected} ${t("requests came that no scripted answer was for")}`));
  };
  const failed = (error) => put(armed, h("p", { class: "note" }, error.message));
  const again = () => refresh().catch(failed);
  const forms = h("div", { class: "columns" });
  put(place, h("div", { class: "page" },
    h("p", { class: "dim" }, `${t("All of this is for the namespace")} `, h("b", {}, store.namespace), t(".")),
    h("div", { class: "columns" }, section(t("Armed faults"), armed), section(t("Scripted answers"), scripted)), forms));
  call("GET", "/fault-types").then((types) => put(forms, h("div", {}, faultForm(types, again)), h("div", {}, answerForm(again), clockForm(again))), failed);
  again();
  return { stop: onChange(again), keys: {} };
}
