// The page of a comparison: two exchanges of the journal, or one request sent to two chips.

import { h, put, button, field, select } from "./dom.js";
import { send } from "./api.js";
import { store, load, latest } from "./store.js";
import { comparison } from "./compare.js";
import { sampleRequest } from "./journal.js";
import { t } from "./words.js";

export function compareView(place, route, go) {
  const said = h("p", { class: "note", role: "status" });
  const result = h("div", {});
  const { chips, models } = store.health;
  const served = store.editions.find((one) => one.served);
  const odd = served?.chips.find((one) => one.quirks.some((quirk) => quirk.name === "json-lines"))?.name
    ?? served?.chips.toSorted((one, other) => other.quirks.length - one.quirks.length)[0]?.name;
  const first = select(chips, chips[0], null, { id: "left-chip" });
  const second = select(chips, odd ?? chips.at(-1), null, { id: "right-chip" });
  const model = select(models, models[0], null);
  const question = h("input", { type: "text", value: "你是谁?", class: "question" });
  const stream = h("input", { type: "checkbox", checked: true });
  const both = button(t("send to both"), async () => {
    said.textContent = "";
    try {
      const made = [];
      for (const chip of [first.value, second.value]) {
        const sample = sampleRequest(chip, question.value, stream.checked);
        sample.path = `/maas/${model.value}/${chip}/chat/completions`;
        made.push((await send({ ...sample, namespace: store.namespace, after: latest(store.namespace) })).number);
      }
      go(`compare/${made.map((one) => `${store.namespace}/${one}`).join("/")}`);
    } catch (error) {
      said.textContent = error.message;
    }
  }, { class: "primary", "data-act": "send-both" });
  put(place, h("div", { class: "page" },
    h("div", { class: "form" }, field(t("one chip"), first), field(t("the other"), second), field(t("model"), model),
      field(t("question"), question), h("label", { class: "check" }, stream, t("stream")), both),
    said, result));
  if (route.length >= 4) {
    Promise.all([load(route[0], route[1]), load(route[2], route[3])]).then(
      (pair) => {
        put(result, comparison(...pair));
        if (pair[0].chip) first.value = pair[0].chip;
        if (pair[1].chip) second.value = pair[1].chip;
      },
      (error) => { said.textContent = error.message; });
  } else {
    put(result, h("p", { class: "hint dim" }, t("Send one request to two chips, or press c on two exchanges of the journal: their bytes stand side by side, and what only one has is marked.")));
  }
  return { stop: () => {}, keys: {} };
}
