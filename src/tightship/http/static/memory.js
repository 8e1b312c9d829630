// What is held, and how much may be: a live chart, and the same in words.

import { call } from "./api.js";
import { chart, farFromLimits, SPAN_S } from "./chart.js";
import { find, h, say, svg } from "./dom.js";
import { bytes, count } from "./format.js";

const EVERY_MS = 2000;
const POINTS = 100;
const held = (slot) => slot.used_bytes ?? slot.held_bytes ?? 0;

function memoryWords({ budget, reserved_bytes: reserved, slots, server }) {
  const sum = slots.reduce((all, slot) => all + held(slot), 0);
  const who = slots.length ? `${count(slots.length, "slot holds", "slots hold")} ${bytes(sum)}` : "No slot is open";
  const promised = reserved ? `, ${bytes(reserved)} is reserved for running jobs` : "";
  return `${who}${promised}; the server itself takes ${bytes(server.rss_bytes)}. Jobs start while their reservations fit ` +
    `into ${bytes(budget.soft_bytes)}; above ${bytes(budget.hard_bytes)} a slot is stopped.`;
}

function queueWords({ queue, disk_free_bytes: disk, pressure }) {
  const [running, waiting] = [queue.running ?? 0, queue.pending ?? 0];
  const jobs = running + waiting ? `${count(running, "job")} running, ${waiting} waiting` : "No job is running or waiting";
  const strain = pressure > 1 ? ` Work waits for memory ${Math.round(pressure)} % of the time.` : "";
  return `${jobs}. ${bytes(disk)} of disk is free.${strain}`;
}

function slotTable(slots) {
  const head = ["Slot", "State", "Holds", "Baseline", "Tasks done"].map((name) => h("th", { scope: "col" }, name));
  const rows = slots.map((slot, at) =>
    h("tr", {}, h("th", { scope: "row" }, `${at + 1}`), ...[
      slot.busy ? "busy" : "idle", bytes(held(slot)), slot.baseline_bytes == null ? "not yet known" : bytes(slot.baseline_bytes), slot.jobs_done,
    ].map((text) => h("td", {}, String(text)))));
  return h("table", {}, h("caption", { class: "unseen" }, "Slots"), h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows));
}

const VERDICTS = {
  steady: "does not grow", growing: "grows with every job", undecided: "not decided yet",
};

function verdictTable(verdicts) {
  const head = ["Operation", "Memory", "Growth per job", "Jobs"].map((name) => h("th", { scope: "col" }, name));
  const rows = Object.entries(verdicts).map(([name, verdict]) =>
    h("tr", { "data-verdict": verdict.kind }, h("th", { scope: "row" }, name),
      h("td", {}, h("span", { class: "verdict" }, VERDICTS[verdict.kind] ?? verdict.kind),
        h("span", { class: "hint" }, verdict.reason)),
      h("td", {}, verdict.slope_bytes == null ? "not known" : bytes(verdict.slope_bytes)), h("td", {}, String(verdict.jobs))));
  return h("table", {}, h("caption", {}, "Does memory grow from job to job?"), h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows));
}

/** What has to be seen without unfolding anything: the operations that grow. */
function growthWords(verdicts) {
  const growing = Object.entries(verdicts).filter(([, verdict]) => verdict.kind === "growing");
  return growing.map(([name, verdict]) => `${name} leaves ${bytes(verdict.slope_bytes)} more in its slot with every job.`).join(" ");
}

function legend(budget) {
  const key = (name) => svg("svg", { width: 22, height: 12, viewBox: "0 0 22 12", "aria-hidden": "true" }, name === "slots"
    ? [svg("rect", { class: "band band-0", x: 0, y: 2, width: 22, height: 10 }), svg("path", { class: "slots", d: "M0 2H22" })]
    : svg("path", { class: name, d: "M0 6H22" }));
  const entry = (name, text) => h("li", {}, key(name), text);
  find("legend").replaceChildren(
    entry("slots", "Slots, one band each"),
    entry("server", "Server's own"),
    entry("limit soft", `Soft limit ${bytes(budget.soft_bytes)}`),
    entry("limit hard", `Hard limit ${bytes(budget.hard_bytes)}`),
  );
}

/** Keep the memory card true while it is looked at. */
export class Memory {
  #points = [];
  #budget = null;
  #timer = 0;
  /** What was chosen; before that, whatever shows something. */
  #zoomed = null;
  #verdicts = "";

  constructor() {
    find("zoom").addEventListener("click", () => this.#zoom());
    document.addEventListener("visibilitychange", () => this.watch());
    new ResizeObserver(() => this.#draw()).observe(find("chart"));
  }

  async watch() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    try {
      this.#show(await call("GET", "/health/memory"));
    } catch {
      say(find("queue-words"), "The server does not answer; the chart goes on when it does.");
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.watch(), EVERY_MS);
  }

  #show(memory) {
    const at = Date.now() / 1000;
    this.#points.push({ at, slots: memory.slots.map(held), server: memory.server.rss_bytes ?? 0 });
    this.#points = this.#points.filter((point) => at - point.at <= SPAN_S).slice(-POINTS);
    if (!this.#budget) legend(memory.budget);
    this.#budget = memory.budget;
    say(find("memory-words"), memoryWords(memory));
    say(find("queue-words"), queueWords(memory));
    find("slots").replaceChildren(...(memory.slots.length ? [slotTable(memory.slots)] : []));
    this.#judge(memory.verdicts ?? {});
    this.#draw();
  }

  #judge(verdicts) {
    const text = JSON.stringify(verdicts);
    if (text === this.#verdicts) return; // a table that is replaced is read out from its start
    this.#verdicts = text;
    find("verdicts").replaceChildren(...(text === "{}" ? [] : [verdictTable(verdicts)]));
    say(find("growth"), growthWords(verdicts));
    find("growth").hidden = !find("growth").textContent;
  }

  #isZoomed() {
    return this.#zoomed ?? farFromLimits(this.#points, this.#budget);
  }

  #zoom() {
    if (!this.#budget) return;
    this.#zoomed = !this.#isZoomed();
    this.#draw();
  }

  #draw() {
    const width = find("chart").clientWidth;
    if (!this.#budget || width < 80) return;
    const zoomed = this.#isZoomed();
    say(find("zoom"), zoomed ? "Show the limits" : "Zoom in");
    const title = `Memory over the last three minutes. ${find("memory-words").textContent}`;
    find("chart").replaceChildren(chart(this.#points, this.#budget, { width, zoomed, title }));
  }
}
