// Raw answers as a test gives them, in the form of the control API.

import { readFile } from "node:fs/promises";

/** Bytes or a text; a file's URL; what is sent one after the other, each alone or as [delayMs, data]; or an object. */
export async function rawAnswer(raw) {
  if (raw instanceof URL) return rawAnswer(await readFile(raw));
  if (isData(raw)) return { sends: [{ data: text(raw) }] };
  if (Array.isArray(raw)) return { sends: raw.map(send) };
  const sends = isData(raw.sends) ? [raw.sends] : raw.sends ?? [];
  return { ...raw, sends: sends.map(send) };
}

function send(one) {
  if (isData(one)) return { data: text(one) };
  if (Array.isArray(one)) return { delay_ms: one[0], data: text(one[1]) };
  return isData(one.data) ? { ...one, data: text(one.data) } : one;
}

function isData(value) {
  return typeof value === "string" || value instanceof Uint8Array;
}

// Bytes as JSON can hold them: as a text where they are one, else in hexadecimal.
function text(data) {
  if (typeof data === "string") return data;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return [{ hex: Buffer.from(data).toString("hex") }];
  }
}
