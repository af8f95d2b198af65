// What to do about a finding, in the reader's language.

import { CHINESE } from "./advice-table.js";

export { ADVICE, NO_REQUEST } from "./advice-table.js";

const VARIABLES = ["GENSTUDIO_MOCK_LANG", "LC_ALL", "LC_MESSAGES", "LANG"]; // the first that is set counts

/** A sentence of advice, in Chinese where the locale is Chinese. */
export function advised(english) {
  const locale = VARIABLES.map((name) => process.env[name]).find(Boolean) ?? "";
  return locale.toLowerCase().startsWith("zh") ? CHINESE[english] ?? english : english;
}
