// The page's words: English stands in the code, Chinese here.

const KEPT = "genstudio-mock-language";

const CHINESE = {
};

function remembered() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

let spoken = remembered() || (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

export function language() {
  return spoken;
}

export function setLanguage(name) {
  spoken = name;
  try {
    localStorage.setItem(KEPT, name);
  } catch { /* a page from a file may have no place to keep it */ }
  document.documentElement.lang = name === "zh" ? "zh-CN" : "en";
}

export function t(english) {
  return spoken === "zh" ? CHINESE[english] ?? english : english;
}
