// One job on the page.

import { call } from "./api.js";
import { announce, h, say } from "./dom.js";
import { ago, bytes, moment, seconds, sentence } from "./format.js";
import { jobTitle, resultOf } from "./result.js";

const STATES = {
  pending: "Waiting",
  running: "Running",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  quarantined: "Given up",
};
// Characters of the newest text that are shown while a transcript is written.
const LIVE_CHARS = 4000;
const RETRIABLE = new Set(["failed", "cancelled", "quarantined"]);

export const isFinal = (job) => job.status !== "pending" && job.status !== "running";

function progressWords(job) {
  if (job.cancel_requested) return "Stopping";
  if (job.status === "pending") return job.attempts ? "Waits for another try" : "Waits for its turn";
  const { fraction, done, total, unit, eta_s: leftS } = job.progress ?? {};
  if (fraction == null) return done == null ? "Starting" : `${Math.round(done)} ${unit ?? ""} done`;
  const amount = total != null && unit ? ` (${Math.round(done * 10) / 10} of ${Math.round(total * 10) / 10} ${unit})` : "";
  return `${Math.round(fraction * 100)} %${amount}${leftS == null ? "" : `, about ${seconds(Math.max(1, Math.round(leftS)))} left`}`;
}

/** A card that follows its job; `onChange(job)` and `onGone(id)` tell the list. */
export class JobCard {
  #acting = null;
  #detailed = "";

  constructor(job, { open, onChange, onGone }) {
    this.job = job;
    this.hooks = { onChange, onGone };
    const id = `job-${job.id}`;
    this.title = h("h3", { id, tabindex: "-1" }, jobTitle(job));
    this.state = h("span", { class: "state" });
    this.meta = h("p", { class: "quiet meta" });
    this.bar = h("progress", { max: 1, "aria-labelledby": id });
    this.words = h("p", { class: "quiet" });
    this.text = h("p", { class: "transcript", hidden: true, tabindex: "0", "aria-labelledby": id });
    this.live = h("div", { class: "live" }, this.bar, this.words, this.text);
    this.fault = h("p", { class: "fault", hidden: true });
    this.body = h("div", { class: "body", id: `${id}-body` });
    this.more = h("button", { type: "button", class: "plain", "aria-controls": this.body.id, click: () => this.toggle() });
    this.actions = h("div", { class: "actions" });
    const head = h("div", { class: "head" }, this.title, this.state);
    this.node = h("li", { class: "card job", "data-id": job.id }, head, this.meta, this.live, this.fault, this.actions, this.body);
    this.open = open;
    this.#draw();
  }

  /** Show the job as it is now. */
  update(job) {
    const before = this.job.status;
    this.job = job;
    if (before !== job.status) announce(`${jobTitle(job)}: ${STATES[job.status] ?? job.status}. ${job.error?.message ?? ""}`);
    this.#draw();
  }

  progress(progress) {
    this.update({ ...this.job, progress });
  }

  /** Show a piece of text as soon as it is written; a try that starts anew begins with segment 0 again. */
  partial({ segment }) {
    if (typeof segment?.text !== "string") return;
    const follows = this.text.scrollTop + this.text.clientHeight >= this.text.scrollHeight - 4;
    this.text.textContent = ((segment.id === 0 ? "" : this.text.textContent) + segment.text).slice(-LIVE_CHARS);
    this.text.hidden = false;
    if (follows) this.text.scrollTop = this.text.scrollHeight;
  }

  /** Say how long ago it was, as time goes by. */
  tick() {
    const { created_at: at, source_bytes: size, attempts, max_attempts: most } = this.job;
    const parts = [ago(at), size != null && bytes(size), attempts > 1 && `try ${attempts} of ${most}`];
    say(this.meta, parts.filter(Boolean).join(" · "));
    this.meta.title = moment(at);
  }

  toggle(open = !this.open) {
    this.open = open;
    this.#draw();
  }

  #draw() {
    const { job } = this;
    this.node.dataset.status = job.status;
    say(this.state, STATES[job.status] ?? job.status);
    this.tick();
    this.live.hidden = isFinal(job);
    if (!isFinal(job)) this.#drawProgress();
    this.#drawDetails();
  }

  #drawProgress() {
    const fraction = this.job.status === "running" ? this.job.progress?.fraction : null;
    if (fraction == null) this.bar.removeAttribute("value");
    else this.bar.value = fraction;
    const text = progressWords(this.job);
    say(this.words, text);
    this.bar.setAttribute("aria-valuetext", text);
  }

  /** Rebuild what changes with the status only: a playing video must not start anew with each event. */
  #drawDetails() {
    const { job } = this;
    const key = [job.status, job.cancel_requested, job.finished_at, job.result_url, this.open, job.receipt_text, job.warnings?.length].join("|");
    if (key === this.#detailed) return;
    this.#detailed = key;
    const focused = this.actions.contains(document.activeElement) ? document.activeElement : null;
    this.#drawFault();
    this.#drawActions();
    this.body.hidden = !this.open || !isFinal(job) || !this.#hasDetails();
    this.body.replaceChildren(...(this.body.hidden ? [] : this.#details()));
    if (focused && !focused.isConnected) this.title.focus();
  }

  #drawFault() {
    const { error } = this.job;
    this.fault.hidden = !error || this.job.status === "cancelled";
    if (!this.fault.hidden) this.fault.replaceChildren(sentence(error.message || "It did not work"), " ", h("code", {}, error.code));
  }

  #drawActions() {
    const { job } = this;
    const about = (text) => [text, h("span", { class: "unseen" }, ` ${jobTitle(job)}`)];
    const button = (text, act) => h("button", { type: "button", click: act }, about(text));
    this.more.replaceChildren(...about("Details"));
    this.more.setAttribute("aria-expanded", this.open);
    this.actions.replaceChildren(
      ...(job.result_url ? [h("a", { class: "button primary", href: job.result_url, download: true }, about("Download"))] : []),
      ...(isFinal(job) || job.cancel_requested ? [] : [button("Cancel", () => this.#act("/cancel"))]),
      ...(RETRIABLE.has(job.status) ? [button("Try again", () => this.#act("/retry"))] : []),
      ...(isFinal(job) ? [button("Delete", () => this.#remove()), ...(this.#hasDetails() ? [this.more] : [])] : []),
    );
  }

  #hasDetails() {
    const { job } = this;
    return Boolean(job.result || job.receipt_text || job.warnings?.length);
  }

  #details() {
    const { job } = this;
    const warnings = (job.warnings ?? []).map((warning) => h("li", {}, sentence(warning.message || warning.code)));
    return [
      ...resultOf(job),
      warnings.length > 0 && h("ul", { class: "caution", "aria-label": "Warnings" }, warnings),
      job.receipt_text && h("div", { class: "receipt" }, h("h4", {}, "Receipt"), h("p", {}, job.receipt_text)),
    ].filter(Boolean);
  }

  async #act(action) {
    await this.#once(async () => this.hooks.onChange(await call("POST", `/v1/jobs/${encodeURIComponent(this.job.id)}${action}`)));
  }

  async #remove() {
    await this.#once(async () => {
      await call("DELETE", `/v1/jobs/${encodeURIComponent(this.job.id)}`);
      announce(`${jobTitle(this.job)}: deleted.`);
      this.hooks.onGone(this.job.id);
    });
  }

  /** Run one action for each state of the job, and say so when it is refused. An event may outrun the answer to it. */
  async #once(action) {
    const { status } = this.job;
    if (this.#acting === status) return;
    this.#acting = status;
    try {
      await action();
    } catch (error) {
      this.fault.hidden = false;
      this.fault.textContent = error.message;
      announce(error.message);
    } finally {
      if (this.#acting === status) this.#acting = null;
    }
  }
}
