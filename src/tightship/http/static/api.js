// Talk with the server: requests, the key it may ask for, uploads.

import { find } from "./dom.js";
import { sentence } from "./format.js";

const PLAIN = {
  0: "The server cannot be reached. Check that it runs, then try again.",
  404: "This is not here any more.",
  413: "The file is larger than this server takes.",
  415: "This is not a media file that the server knows.",
  422: "One of the options does not fit.",
  503: "The server has enough to do right now.",
  507: "The server's disk is full.",
};

/** A refusal, in words for people. */
export class ApiError extends Error {
  constructor(status, problem = {}, retryAfterS = null) {
    const text = sentence(problem.detail || PLAIN[status] || problem.title || `The server answered with ${status}`);
    super(retryAfterS ? `${text} Try again in ${retryAfterS} s.` : text);
    this.status = status;
    this.code = problem.code || "";
  }
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

async function answer(method, path, body) {
  const headers = { Accept: "application/json", ...(body && { "Content-Type": "application/json" }) };
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new ApiError(0);
  }
  const data = parsed(await response.text());
  if (!response.ok) throw new ApiError(response.status, data, response.headers.get("Retry-After"));
  return data;
}

let signingIn = null;

/** Ask for the key, once for however many requests wait for it. */
export function signIn() {
  signingIn ??= new Promise((resolve) => {
    const [dialog, form, key, fault] = ["login", "login-form", "key", "login-error"].map(find);
    form.onsubmit = async (event) => {
      event.preventDefault();
      try {
        await answer("POST", "/v1/session", { key: key.value });
      } catch (error) {
        fault.textContent = error.status === 401 ? "This key is not known here." : error.message;
        fault.hidden = false;
        key.select();
        return;
      }
      key.value = "";
      fault.hidden = true;
      signingIn = null;
      dialog.close();
      resolve();
    };
    // Nothing works without the key: a dialog that was closed without it comes back.
    dialog.onclose = () => { if (signingIn) dialog.showModal(); };
    dialog.showModal();
    key.focus();
  });
  return signingIn;
}

/** Send a request and return the answer's JSON; where a key is missing, ask for it first. */
export async function call(method, path, body) {
  try {
    return await answer(method, path, body);
  } catch (error) {
    if (error.status !== 401) throw error;
    await signIn();
    return call(method, path, body);
  }
}

/** A name for one intent to start a job: sent again with it, the job is not started twice. */
export function intent() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Send a file; `onProgress(sent, total)` is called on the way. Returns `{ done, stop }`. */
export function upload(file, operation, options, key, onProgress) {
  const form = new FormData();
  form.append("operation", operation);
  form.append("options", JSON.stringify(options));
  form.append("file", file, file.name);
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
    request.onload = () => {
      const data = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300) resolve(data);
      else reject(new ApiError(request.status, data, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => reject(new ApiError(0));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.open("POST", "/v1/jobs");
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Idempotency-Key", key);
    request.send(form);
  });
  return { done, stop: () => request.abort() };
}
