// Comparing what an application shows with what went over the wire.

import { ADVICE, advised, NO_REQUEST } from "./advice.js";
import { NothingAskedError, SilentEmptyError, WrongTextError } from "./errors.js";
import { said, short } from "./seen.js";

/** Compare a text with the content of exchanges, joined; white space around it does not count. */
export function compare(text, exchanges) {
  if (!exchanges.length) throw new NothingAskedError(advised(NO_REQUEST));
  const shown = (text ?? "").trim(), sent = exchanges.map((one) => one.carried.text).join("").trim();
  if (shown === sent) return;
  const what = exchanges.map((one) => `${one.chip ?? "the mock"} sent ${said(one.carried)} `
    + `(exchange ${one.number}, ${one.status} ${one.contentType}, ${one.ending})`).join(" and ");
  if (!shown) {
    const advice = advised(ADVICE[exchanges.at(-1).carried.framing] ?? "");
    throw new SilentEmptyError(`the client saw nothing, but ${what}; ${advice}`, exchanges);
  }
  throw new WrongTextError(`the client saw ${short(shown)}, but ${what}${difference(shown, sent)}`, exchanges);
}

// Where two texts part, in characters.
function difference(shown, sent) {
  if (!sent) return "; there was no content on the wire";
  const a = [...shown], b = [...sent];
  let same = 0;
  while (same < a.length && same < b.length && a[same] === b[same]) same += 1;
  if (same === a.length) return `; what the client saw stops after ${same} of ${b.length} characters`;
  if (same === b.length) return `; the client saw ${a.length - same} more characters: ${short(a.slice(same).join(""))}`;
  const part = (text) => short(text.slice(same, same + 20).join(""));
  return `; they part at character ${same}: ${part(a)} for ${part(b)}`;
}
