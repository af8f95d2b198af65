// The journal: one row an exchange, newest first; only the rows that are seen are drawn.

import { h, put, button, field, select, shown, milliseconds, download } from "./dom.js";
import { call, send } from "./api.js";
import { store, onChange, load, latest, forget } from "./store.js";
import { spark } from "./timeline.js";
import { exchangeView, endingName, endingClass, statusClass, tag, copyButton, codeTabs } from "./exchange.js";
import { curlOf, pythonOf } from "./code.js";
import { t } from "./words.js";

const ROW_HEIGHT = 32;
const AROUND = 12;
const SOON_MS = 400; // between two looks at a stream that grows: each asks for all of it
const NOTHING = { text: "", chip: "", model: "", status: "", ending: "", fault: "" };

function clock(time) {
  const at = new Date(time);
  return `${at.toLocaleTimeString("en-GB")}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function fits(row, filter) {
  if (!store.everyNamespace && row.namespace !== store.namespace) return false;
  if (filter.chip && row.chip !== filter.chip) return false;
  if (filter.model && row.model !== filter.model) return false;
  if (filter.status && String(row.status ?? "–") !== filter.status) return false;
  if (filter.ending && endingOf(row) !== filter.ending) return false;
  if (filter.fault && !row.faults.includes(filter.fault)) return false;
  if (!filter.text) return true;
  const text = [row.path, row.model, row.chip, row.said, row.detail, row.source, row.quirks, row.namespace, ...row.faults].join(" ").toLowerCase();
  return filter.text.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function newestFirst(one, other) {
  const [a, b] = [store.rows.get(one), store.rows.get(other)];
  return b.time - a.time || b.number - a.number;
}

function endingOf(row) {
  return row.ending === null ? "in flight" : row.client_left ? "client left" : row.ending;
}

function formOfRow(row) {
  if (row.stream === null) return "–";
  return row.stream ? t("stream") : t("whole");
}

function cells(row) {
  const partial = row.frames_sent !== row.frames_planned;
  return [
    ["number", String(row.number)],
    ["time", clock(row.time)],
    ["status", h("span", { class: statusClass(row.status) }, String(row.status ?? "–"))],
    ["chip", shown(row.chip || "–")],
    ["model", shown(row.model || row.path)],
    ["form", formOfRow(row)],
    ["wire", spark(row)],
    ["frames", partial ? `${row.frames_sent}/${row.frames_planned}` : String(row.frames_sent)],
    ["took", milliseconds(row.duration_ms)],
    ["ending", h("span", { class: endingClass(row) }, endingName(row))],
    ["tags", h("span", {}, row.faults.map((one) => tag(one, "fault")),
      row.quirks && row.quirks.split(",").map((one) => tag(one, "quirk")),
      row.namespace !== "default" && tag(row.namespace, "space"), !row.faults.length && h("span", { class: "dim" }, shown(row.detail || row.said)))],
  ];
}

const COLUMNS = [
  ["number", "#"], ["time", "time"], ["status", "status"], ["chip", "chip"], ["model", "model"], ["form", "asked"],
  ["wire", "wire"], ["frames", "frames"], ["took", "took"], ["ending", "ending"], ["tags", "faults, quirks, prompt or refusal"],
];

// How many digits the numbers of the exchanges have: each row is a grid of its own, and their columns shall agree.
function widest(rows) {
  let most = 100;
  for (const one of rows) if (one.number > most) most = one.number;
  return String(most).length;
}

export function journalView(place, route, go) {
  const filter = { ...NOTHING };
  let visible = [];
  let selected = route.length >= 2 ? `${route[0]}/${route[1]}` : null;
  let top = 0;
  let scheduled = false;
  let drawn = null;
  let later = 0;
  let pending = false;

  const count = h("span", { class: "dim count", role: "status" });
  const filters = h("div", { class: "filters", role: "search" });
  const rowsPlace = h("div", { class: "rows", role: "rowgroup" });
  const spacer = h("div", { class: "spacer", role: "presentation" }, rowsPlace);
  const scroller = h("div", { class: "scroller", role: "grid", tabindex: "0", "aria-label": t("Journal"), "aria-readonly": "true", "aria-colcount": String(COLUMNS.length) },
    h("div", { role: "rowgroup", class: "grid-head-group" }, h("div", { class: "grid-row grid-head", role: "row", "aria-rowindex": "1" }, COLUMNS.map(([name, title]) => h("div", { role: "columnheader", class: `c-${name}` }, t(title))))),
    spacer);
  const unfiltered = h("p", { class: "hint dim", hidden: true }, t("No exchange fits the filter."), " ", button(t("show all"), () => {
    Object.assign(filter, NOTHING);
    text.value = "";
    for (const menu of Object.values(menus)) menu.value = "";
    refresh();
  }));
  const detail = h("div", { class: "detail" });
  const empty = h("div", { class: "empty" });
  const list = h("div", { class: "list" }, filters, empty, unfiltered, scroller);
  const split = h("div", { class: "split" }, list, detail);
  put(place, split);

  const text = h("input", { type: "search", id: "filter", placeholder: t("filter ( / )"), "aria-label": t("Filter by text"), oninput: () => { filter.text = text.value.trim(); refresh(); } });
  const menus = {};
  for (const [name, title] of [["chip", "chip"], ["model", "model"], ["status", "status"], ["ending", "ending"], ["fault", "fault"]]) {
    menus[name] = select([["", t(title)]], "", (value) => { filter[name] = value; refresh(); }, { "aria-label": `${t("Filter by")} ${t(title)}` });
  }
  const pause = button("", () => { store.paused = !store.paused; marks(); refresh(); }, { "aria-pressed": "false", "data-act": "pause" });
  const clear = button(t("clear"), async () => {
    for (const name of store.everyNamespace ? store.namespaces : [store.namespace]) {
      await call("POST", "/reset", { setup: false, counters: false }, name);
      forget(name);
    }
    refresh();
  }, { "data-act": "clear" });
  put(filters, h("div", { class: "bar" }, text, h("span", { class: "grow" }), count, pause, clear), h("div", { class: "bar menus" }, Object.values(menus)));

  function marks() {
    pause.textContent = store.paused ? t("go on") : t("pause");
    pause.setAttribute("aria-pressed", String(store.paused));
  }

  function menu(name, values) {
    const options = [...new Set(values)].filter(Boolean).sort();
    const known = [...menus[name].options].slice(1).map((one) => one.value);
    if (options.join("\n") === known.join("\n")) return;
    const first = menus[name].options[0];
    put(menus[name], first, options.map((one) => h("option", { value: one }, name === "ending" ? t(one) : one)));
    menus[name].value = filter[name];
  }

  function refresh() {
    if (!store.paused || !visible.length) {
      const rows = [...store.rows.values()];
      menu("chip", rows.map((one) => one.chip));
      menu("model", rows.map((one) => one.model));
      menu("status", rows.map((one) => (one.status ? String(one.status) : "")));
      menu("ending", rows.map(endingOf));
      menu("fault", rows.flatMap((one) => one.faults));
    }
    scroller.style.setProperty("--digits", String(widest(store.rows.values())));
    const before = visible.length;
    if (!store.paused) visible = store.order.filter((key) => fits(store.rows.get(key), filter)).sort(newestFirst);
    else visible = visible.filter((key) => store.rows.has(key) && fits(store.rows.get(key), filter));
    count.textContent = visible.length === store.order.length ? `${visible.length}` : `${visible.length} ${t("of")} ${store.order.length}`;
    const none = store.order.length === 0;
    empty.hidden = !none;
    unfiltered.hidden = none || visible.length > 0;
    scroller.hidden = none || !visible.length;
    split.classList.toggle("is-empty", none);
    if (none && !empty.childElementCount) put(empty, emptyPage(go));
    if (!none) put(empty);
    if (scroller.scrollTop > ROW_HEIGHT && visible.length > before) scroller.scrollTop += (visible.length - before) * ROW_HEIGHT;
    draw(true);
  }

  function draw(whole) {
    scroller.setAttribute("aria-rowcount", String(visible.length + 1));
    spacer.style.setProperty("height", `${visible.length * ROW_HEIGHT}px`);
    const from = Math.max(0, Math.floor(scroller.scrollTop / ROW_HEIGHT) - AROUND);
    const to = Math.min(visible.length, from + Math.ceil(scroller.clientHeight / ROW_HEIGHT) + 2 * AROUND);
    if (!whole && from === top) return;
    top = from;
    rowsPlace.style.setProperty("transform", `translateY(${from * ROW_HEIGHT}px)`);
    put(rowsPlace, visible.slice(from, to).map((key, number) => {
      const row = store.rows.get(key);
      const classes = ["grid-row", key === selected && "on", row.ending === null && "running", store.compareWith === key && "held"].filter(Boolean);
      return h("div", { class: classes.join(" "), role: "row", id: `row-${key.replace("/", "-")}`, "aria-rowindex": String(from + number + 2),
        "aria-selected": String(key === selected), "data-key": key, onclick: () => open(key) },
      cells(row).map(([name, one]) => h("div", { role: "gridcell", class: `c-${name}` }, one)));
    }));
    scroller.setAttribute("aria-activedescendant", selected ? `row-${selected.replace("/", "-")}` : "");
  }

  function schedule() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      refresh();
    });
  }

  function open(key, focus = false) {
    selected = key;
    go(`journal/${key}`, true);
    reveal();
    draw(true);
    show(focus);
  }

  function reveal() {
    const at = visible.indexOf(selected) * ROW_HEIGHT;
    const room = scroller.clientHeight - ROW_HEIGHT * 2;
    if (at < scroller.scrollTop) scroller.scrollTop = at;
    else if (at > scroller.scrollTop + room) scroller.scrollTop = at - room;
  }

  async function show(focus = false) {
    if (!selected) {
      put(detail, h("div", { class: "hint dim" }, h("p", {}, t("Choose an exchange to see what went over the wire.")), h("p", {}, h("kbd", {}, "j"), " ", h("kbd", {}, "k"), " ", h("kbd", {}, "?"))));
      split.classList.remove("has-detail");
      return;
    }
    split.classList.add("has-detail");
    const key = selected;
    const row = store.rows.get(key);
    const same = drawn?.key === key && (!row || row.at_ms === drawn.at_ms);
    if (same && drawn.ended) return;
    if (same && (later || detail.querySelector(".again:not([hidden])"))) {
      pending = true;
      lookLater();
      return;
    }
    const [namespace, number] = key.split("/");
    try {
      const exchange = await load(namespace, number);
      if (selected !== key) return;
      drawn = { key, at_ms: exchange.at_ms, ended: exchange.ending !== null };
      lookLater();
      const scrolled = detail.dataset.key === key ? detail.scrollTop : 0;
      detail.dataset.key = key;
      put(detail, exchangeView(exchange, { origin: location.origin, actions: actionsOf(exchange, go) }));
      detail.scrollTop = scrolled;
      if (focus) detail.querySelector(".actions button")?.focus();
    } catch (error) {
      if (selected === key) put(detail, h("div", { class: "hint" }, h("p", {}, error.message), h("p", { class: "dim" }, t("The journal keeps the last exchanges; older ones make room."))));
    }
  }

  // Not more often than now and then, and not while something is being typed into what is shown.
  function lookLater() {
    later ||= setTimeout(() => {
      later = 0;
      if (pending) {
        pending = false;
        show();
      }
    }, SOON_MS);
  }

  function step(way) {
    if (!visible.length) return;
    const at = visible.indexOf(selected);
    open(visible[at < 0 ? 0 : Math.min(Math.max(at + way, 0), visible.length - 1)]);
  }

  scroller.addEventListener("scroll", () => draw(false));
  new ResizeObserver(() => draw(true)).observe(scroller);
  marks();
  refresh();
  show();
  const stop = onChange((changed) => {
    schedule();
    if (selected && changed.has(selected)) show();
  });
  return {
    stop,
    keys: {
      j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
      "/": () => text.focus(),
      Enter: () => selected && show(true).then(() => detail.querySelector(".actions button")?.focus()),
      Escape: () => { selected = null; drawn = null; go("journal", true); draw(true); show(); scroller.focus(); },
      p: () => pause.click(),
      c: () => selected && holdOrCompare(selected, go, schedule),
    },
  };
}

export function holdOrCompare(key, go, redraw) {
  if (store.compareWith && store.compareWith !== key) {
    const first = store.compareWith;
    store.compareWith = null;
    go(`compare/${first}/${key}`);
    return;
  }
  store.compareWith = store.compareWith === key ? null : key;
  redraw?.();
}

function actionsOf(exchange, go) {
  const { namespace, number } = exchange;
  const key = `${namespace}/${number}`;
  const said = h("p", { class: "note", role: "status" });
  const guarded = (work) => async () => {
    said.textContent = "";
    try {
      await work();
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const isChat = exchange.request.method === "POST" && exchange.request.path.endsWith("/chat/completions");
  const chip = select(store.health.chips, exchange.chip || store.health.chips[0], null, { "aria-label": t("chip") });
  const quirks = h("input", { type: "text", placeholder: "+no-done,+crlf", "aria-label": t("quirks"), spellcheck: "false", value: exchange.request.headers["x-mock-quirks"] || "" });
  const fault = h("input", { type: "text", placeholder: "cut;after_frames=4", "aria-label": t("fault"), spellcheck: "false" });
  const again = h("div", { class: "again", hidden: true },
    field(t("chip"), chip), field(t("quirks"), quirks), field(t("fault"), fault),
    button(t("send"), guarded(async () => {
      const headers = {};
      if (quirks.value.trim()) headers["X-Mock-Quirks"] = quirks.value.trim();
      if (fault.value.trim()) headers["X-Mock-Fault"] = fault.value.trim();
      const path = exchange.chip ? exchange.request.path.replace(`/${exchange.chip}/chat/`, `/${chip.value}/chat/`) : exchange.request.path;
      const made = await send({ path, body: exchange.request.body, headers, namespace, after: latest(namespace) });
      go(`compare/${key}/${namespace}/${made.number}`);
    }), { class: "primary" }));
  const compare = button(store.compareWith === key ? t("held; choose another") : t("compare"), () => {
    holdOrCompare(key, go);
    compare.textContent = store.compareWith === key ? t("held; choose another") : t("compare");
  }, { title: "c" });
  return h("div", { class: "actions" },
    h("div", { class: "bar" },
      button("×", () => go("journal"), { class: "quiet back", "aria-label": t("close") }),
      isChat && button(t("play again"), () => { again.hidden = !again.hidden; if (!again.hidden) chip.focus(); }),
      compare,
      exchange.ending !== null && button(t("save as fixture"), guarded(async () => {
        const text = await call("GET", `/exchanges/${number}/fixture`, undefined, namespace);
        download(`exchange-${number}.json`, text);
      })),
      isChat && copyButton(curlOf(exchange.request, location.origin), t("copy curl"))),
    again, said);
}

const FIRST_QUESTION = "你是谁?";

export function sampleRequest(chip, question = FIRST_QUESTION, stream = true) {
  const model = store.health.models[0] || "mt-infini-3b";
  return { path: `/maas/${model}/${chip}/chat/completions`, body: JSON.stringify({ model: null, messages: [{ role: "user", content: question }], stream }) };
}

function emptyPage(go) {
  const chip = store.health.chips[0] || "nvidia";
  const sample = sampleRequest(chip);
  const request = { method: "POST", headers: {}, ...sample };
  const said = h("p", { class: "note", role: "status" });
  return h("div", { class: "welcome" },
    h("h1", {}, t("Nothing was asked yet")),
    h("p", { class: "lead" }, t("Every request to this mock appears here as it comes, and every write of its answer as it leaves.")),
    h("p", { class: "bar" },
      button(t("send a first request"), async () => {
        try {
          const made = await send(sample);
          go(`journal/default/${made.number}`);
        } catch (error) {
          said.textContent = error.message;
        }
      }, { class: "primary" }),
      button(t("compare two chips"), () => go("compare"))),
    said,
    h("p", { class: "dim" }, t("Or send one from where you are:")),
    codeTabs({ curl: curlOf(request, location.origin).replace("Bearer $API_KEY", "Bearer any-key"), Python: pythonOf(request, location.origin) }));
}
