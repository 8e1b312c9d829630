// Quantities as people read them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
const AGES = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [Infinity, "day", 86400]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const exact = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });

export function bytes(amount) {
  if (amount == null) return "unknown";
  let at = 0;
  while (Math.abs(amount) >= 1024 && at < UNITS.length - 1) {
    amount /= 1024;
    at += 1;
  }
  return `${at && Math.abs(amount) < 10 ? amount.toFixed(1) : Math.round(amount)} ${UNITS[at]}`;
}

export function seconds(amount) {
  if (amount == null) return "unknown";
  if (amount < 10) return `${Number(amount.toFixed(amount < 1 ? 2 : 1))} s`;
  if (amount < 90) return `${Math.round(amount)} s`;
  const minutes = Math.round(amount / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function ago(iso, nowMs = Date.now()) {
  const age = Math.max(0, (nowMs - Date.parse(iso)) / 1000);
  if (age < 10) return "just now";
  const [, unit, size] = AGES.find(([limit]) => age < limit);
  return relative.format(-Math.floor(age / size), unit);
}

export const moment = (iso) => exact.format(new Date(iso));

export const count = (amount, one, many = `${one}s`) => `${amount} ${amount === 1 ? one : many}`;

/** A sentence begins with a capital and ends with a full stop. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

/** "hash_of_file" as "Hash of file". */
export function words(name) {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
