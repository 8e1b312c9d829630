// What came out of a job: a picture, a player, a table.

import { h } from "./dom.js";
import { bytes, seconds, words } from "./format.js";
import { operationLabel } from "./form.js";

const HIDDEN = new Set(["output", "streams", "tags", "warnings", "complete", "text", "text_is_whole"]);
const still = matchMedia("(prefers-reduced-motion: reduce)");

function quantity(name, value) {
  if (value == null) return "unknown";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (name.endsWith("_bytes")) return bytes(value);
  if (name.endsWith("_s")) return seconds(value);
  if (name === "width" || name === "height") return `${value} px`;
  if (name === "fps") return `${Math.round(value * 100) / 100} fps`;
  if (name === "bit_rate") return `${Math.round(value / 1000).toLocaleString("en")} kbit/s`;
  if (name === "sample_rate") return `${value.toLocaleString("en")} Hz`;
  if (name === "rotation") return `${value}°`;
  return Array.isArray(value) ? value.join(", ") || "none" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

const TITLES = { fps: "Frame rate", start_s: "From", end_s: "To" };
const title = (name) => TITLES[name] ?? words(name.replace(/_(s|bytes|px|fps)$/, ""));

function table(caption, entries) {
  const rows = entries.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, title(name)), h("td", {}, quantity(name, value))));
  return h("table", {}, h("caption", {}, caption), h("tbody", {}, rows));
}

const known = (data) => Object.entries(data ?? {}).filter(([name, value]) => value != null && value !== "" && !HIDDEN.has(name));

function streams(result) {
  if (!Array.isArray(result.streams)) return [];
  return result.streams.map((stream, at) => {
    const entries = known(stream).filter(([name, value]) => name !== "type" && name !== "index" && !(Array.isArray(value) && !value.length));
    return h("details", {}, h("summary", {}, `Stream ${at + 1}: ${[stream.type, stream.codec].filter(Boolean).join(", ")}`), table("What it is", entries));
  });
}

function facts(job) {
  const { result } = job;
  const tags = Object.entries(result.tags ?? {});
  return [
    table(job.result_url ? "The result" : "What the file is", known(result)),
    ...(job.result_url ? [] : streams(result)),
    tags.length > 0 && h("details", {}, h("summary", {}, "Text written in the file"), table("Tags", tags)),
  ];
}

function picture(job) {
  const image = h("img", { src: job.result_url, alt: `The GIF made of ${job.source_name || "the video"}`, width: job.result.width, height: job.result.height });
  if (!still.matches) return image;
  const button = h("button", { type: "button", click: () => button.replaceWith(image) }, "Show the moving picture");
  return button;
}

function player(job) {
  const note = h("p", { class: "quiet", hidden: true }, "This browser cannot play the clip; download it to watch it.");
  const video = h("video", {
    src: job.result_url, controls: true, preload: "metadata", playsinline: true, "aria-label": `The clip of ${job.source_name || "the video"}`,
    error: () => { video.hidden = true; note.hidden = false; },
  });
  return [video, note];
}

function transcript({ result }) {
  const text = result.text || "Nobody speaks in it.";
  const cut = result.text_is_whole === false && h("p", { class: "quiet" }, "This is the beginning; the file holds all of it.");
  return [h("p", { class: "transcript", tabindex: "0", "aria-label": "What is said" }, text), cut].filter(Boolean);
}

/** The elements that show a job's result. */
export function resultOf(job) {
  if (job.status !== "succeeded" || !job.result) return [];
  const shown = [];
  if (job.result_url && job.operation === "gif") shown.push(picture(job));
  else if (job.result_url && job.operation === "clip") shown.push(...player(job));
  if (typeof job.result.text === "string") shown.push(...transcript(job));
  if (!job.result_url && job.result.output) shown.push(h("p", { class: "quiet" }, "The file itself is not kept any more."));
  if (job.result.complete === false) shown.push(h("p", { class: "caution" }, "The time was up before the end: this is the part that was done."));
  return [h("div", { class: "shown" }, shown), h("div", { class: "facts" }, facts(job))];
}

export const jobTitle = (job) => `${operationLabel(job.operation)} of ${job.source_name || "a file"}`;
