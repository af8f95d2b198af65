// Elements made here and nowhere else: what comes from requests and answers becomes text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.setAttribute("class", value);
    else if (name === "value") element.value = value;
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

export function h(tag, props, ...children) {
  return filled(document.createElement(tag), props, children);
}

export function svg(tag, props, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

export function put(place, ...children) {
  place.replaceChildren(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return place;
}

export function button(text, onclick, props) {
  return h("button", { type: "button", ...props, onclick }, text);
}

export function field(label, input) {
  return h("label", { class: "field" }, h("span", {}, label), input);
}

export function select(options, value, onchange, props) {
  const made = h("select", { ...props, onchange: (event) => onchange?.(event.target.value) },
    options.map((one) => {
      const [key, text] = Array.isArray(one) ? one : [one, one];
      return h("option", { value: key, selected: key === value }, text);
    }));
  made.value = value;
  return made;
}

// What does not show in a line of text, shown: a name for what steers, turns or hides other characters.
export const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

export function shown(text, keep = "") {
  return text.replace(UNSEEN, (one) => {
    if (keep.includes(one)) return one;
    return one === "\n" ? "↵" : `‹${nameOfUnseen(one)}›`;
  });
}

export function nameOfUnseen(one) {
  const code = one.codePointAt(0);
  return { 0: "NUL", 9: "TAB", 10: "LF", 13: "CR", 27: "ESC", 0xfeff: "BOM" }[code] || `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

// A sentence of the mock's own: what stands between backticks is code.
export function prose(text) {
  return text.split("`").map((part, at) => (at % 2 ? h("code", {}, part) : part));
}

export function short(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { class: "offscreen", value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

export function download(name, text) {
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 10000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 100) return `${Math.round(value)} ms`;
  return `${Number.isInteger(value) ? value : value.toFixed(value >= 10 ? 1 : 2)} ms`;
}

export function bytesText(count) {
  if (count < 10000) return `${count.toLocaleString("en")} B`;
  return count < 1048576 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1048576).toFixed(1)} MiB`;
}
