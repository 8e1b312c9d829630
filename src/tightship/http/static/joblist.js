// The list of jobs, kept true by events where there is a connection to spare, and by asking where there is none.

import { call } from "./api.js";
import { find } from "./dom.js";
import { isFinal, JobCard } from "./job.js";

const PAGE = 20;
// A browser opens six connections to a server; two tabs with two streams each leave room to work.
const STREAMS = 2;
const POLL_MS = 2000;
const IDLE_POLL_MS = 10_000;
const RETRY_STREAM_MS = 5000;

export class JobList {
  #cards = new Map();
  #streams = new Map();
  #refused = new Map();
  #timer = 0;
  #next = null;
  #paged = false;
  #epoch = 0;

  constructor(onReach) {
    this.onReach = onReach;
    this.node = find("job-list");
    find("older").addEventListener("click", () => this.#older());
    document.addEventListener("visibilitychange", () => this.refresh());
    setInterval(() => this.#cards.forEach((card) => card.tick()), 30_000);
  }

  /** Ask for the newest jobs, show what changed, and plan the next time. */
  async refresh() {
    clearTimeout(this.#timer);
    if (document.hidden) {
      this.#closeStreams();
      return;
    }
    const epoch = this.#epoch;
    try {
      const { jobs, next } = await call("GET", `/v1/jobs?limit=${PAGE}`);
      if (epoch === this.#epoch) this.#merge(jobs, next);
      this.onReach(true);
    } catch {
      this.onReach(false);
    }
    this.#follow();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), this.#unwatched() ? POLL_MS : IDLE_POLL_MS);
  }

  /** Show a job that was just made, and put the focus on it. */
  add(job) {
    this.#show(job, true);
    this.#cards.get(job.id).title.focus();
    this.refresh();
  }

  #merge(jobs, next) {
    const seen = new Set(jobs.map((job) => job.id));
    const oldest = jobs.length ? jobs[jobs.length - 1].created_at : "";
    for (const [id, card] of this.#cards) {
      if (!seen.has(id) && (!next || card.job.created_at > oldest)) this.#drop(id);
    }
    jobs.forEach((job) => this.#show(job));
    if (!this.#paged) this.#next = next;
    this.#settle();
  }

  async #older() {
    let jobs, next;
    try {
      ({ jobs, next } = await call("GET", `/v1/jobs?limit=${PAGE}&after=${encodeURIComponent(this.#next)}`));
    } catch {
      this.onReach(false);
      return;
    }
    [this.#paged, this.#next] = [true, next];
    jobs.forEach((job) => this.#show(job));
    if (jobs.length) this.#cards.get(jobs[0].id).title.focus();
    this.#settle();
  }

  #show(job, open = false) {
    this.#epoch += 1;
    const card = this.#cards.get(job.id);
    if (card) {
      card.update(job);
      return;
    }
    const fresh = new JobCard(job, {
      open: open || !isFinal(job),
      onChange: (changed) => { this.#show(changed); this.refresh(); },
      onGone: (id) => this.#remove(id),
    });
    this.#cards.set(job.id, fresh);
    const after = [...this.#cards.values()].filter((other) => other !== fresh && older(other.job, job));
    const place = after.map((other) => other.node).reduce((first, node) =>
      first && first.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING ? first : node, null);
    this.node.insertBefore(fresh.node, place);
    this.#settle();
  }

  #remove(id) {
    const { node } = this.#cards.get(id);
    const neighbour = node.nextElementSibling ?? node.previousElementSibling;
    this.#drop(id);
    (neighbour?.querySelector("h3") ?? find("jobs-title")).focus();
    this.refresh();
  }

  #drop(id) {
    this.#epoch += 1;
    this.#cards.get(id).node.remove();
    this.#cards.delete(id);
    this.#close(id);
    this.#settle();
  }

  #settle() {
    find("jobs-empty").hidden = this.#cards.size > 0;
    find("older").hidden = !this.#next;
  }

  #active() {
    return [...this.#cards.values()].map((card) => card.job).filter((job) => !isFinal(job));
  }

  #unwatched() {
    return this.#active().some((job) => !this.#streams.has(job.id));
  }

  /** Give the streams there may be to running jobs first, then to those that wait longest. */
  #follow() {
    const wanted = this.#active()
      .filter((job) => !(this.#refused.get(job.id) > Date.now()))
      .sort((one, other) => (one.status === other.status ? (older(one, other) ? -1 : 1) : one.status === "running" ? -1 : 1))
      .slice(0, STREAMS)
      .map((job) => job.id);
    for (const id of this.#streams.keys()) if (!wanted.includes(id)) this.#close(id);
    wanted.filter((id) => !this.#streams.has(id)).forEach((id) => this.#watch(id));
  }

  /** The browser resumes a lost stream by itself, where it stopped; one that the server refuses is left to polling. */
  #watch(id) {
    const source = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/events`);
    this.#streams.set(id, source);
    source.addEventListener("status", (event) => {
      const job = JSON.parse(event.data);
      this.#show(job);
      if (!isFinal(job)) return;
      this.#close(id);
      this.refresh();
    });
    source.addEventListener("progress", (event) => {
      const card = this.#cards.get(id);
      if (card?.job.status === "running") card.progress(JSON.parse(event.data));
    });
    source.addEventListener("partial", (event) => this.#cards.get(id)?.partial(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) this.#refused.set(id, Date.now() + RETRY_STREAM_MS);
      if (source.readyState === EventSource.CLOSED) this.#close(id);
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.refresh(), POLL_MS);
    });
  }

  #close(id) {
    this.#streams.get(id)?.close();
    this.#streams.delete(id);
  }

  #closeStreams() {
    [...this.#streams.keys()].forEach((id) => this.#close(id));
  }
}

const older = (one, other) => one.created_at < other.created_at || (one.created_at === other.created_at && one.id < other.id);
