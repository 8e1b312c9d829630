// The page: choose a file and what to make of it, send it, follow the jobs.

import { call, intent, signIn, upload } from "./api.js";
import { announce, find, h, say } from "./dom.js";
import { bytes, seconds } from "./format.js";
import { operationLabel, OptionForm } from "./form.js";
import { JobList } from "./joblist.js";
import { Memory } from "./memory.js";

const options = new OptionForm();
const jobs = new JobList(showReach);
let operations = new Map();
let file = null;
let key = null;

function showReach(reached) {
  find("connection").dataset.state = reached ? "up" : "down";
  say(find("connection"), reached ? "Connected" : "No connection, trying again");
}

function chosenOperation() {
  return document.querySelector("input[name=operation]:checked")?.value;
}

function showOperation() {
  const operation = operations.get(chosenOperation());
  say(find("summary"), operation?.summary ?? "");
  options.show(operation?.options);
  key = null;
}

function showOperations(found) {
  operations = new Map(found.map((operation) => [operation.name, operation]));
  const order = ["gif", "clip", "info", "transcribe"];
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = [...operations.keys()].sort((one, other) => place(one) - place(other));
  find("operations").replaceChildren(...names.map((name, at) =>
    h("label", { title: operations.get(name).missing }, h("input", {
      type: "radio", name: "operation", value: name, checked: at === 0, disabled: Boolean(operations.get(name).missing), change: showOperation,
    }), h("span", {}, operationLabel(name)))));
  showOperation();
}

function choose(files) {
  if (!files?.length) return;
  [file] = files;
  key = null;
  find("drop").dataset.chosen = "";
  delete find("drop").dataset.wrong;
  find("file-name").textContent = file.name;
  find("file-hint").textContent = `${bytes(file.size)} · drop or choose another to change it`;
  fault(files.length > 1 ? "One file at a time: the first of them was taken." : "");
  announce(`Chosen: ${file.name}, ${bytes(file.size)}.`);
}

function fault(text) {
  find("form-error").textContent = text;
  find("form-error").hidden = !text;
}

function showUpload(shown) {
  find("upload").hidden = !shown;
  find("form").hidden = shown;
}

function uploadProgress(startedMs) {
  return (sent, total) => {
    find("upload-bar").value = total ? sent / total : 0;
    const leftS = ((Date.now() - startedMs) / 1000) * (total / Math.max(sent, 1) - 1);
    const left = sent < total && Date.now() - startedMs > 1000 ? `, about ${seconds(Math.max(1, Math.round(leftS)))} left` : "";
    say(find("upload-detail"), sent < total ? `${bytes(sent)} of ${bytes(total)}${left}` : "Sent; the server takes it in");
  };
}

async function start(event) {
  event.preventDefault();
  fault("");
  if (!file) {
    askForFile();
    return;
  }
  const chosen = options.read();
  if (chosen) await send(chosen);
}

/** Say it where the file goes: on a phone the button is a screen away. */
function askForFile() {
  const text = "Choose a file first.";
  find("drop").dataset.wrong = "";
  find("file-hint").textContent = text;
  announce(text);
  find("file").focus();
}

async function send(chosen) {
  // The same intent is sent again after a lost connection, so that no job is started twice.
  key ??= intent();
  say(find("upload-label"), `Sending ${file.name}`);
  find("upload-bar").value = 0;
  showUpload(true);
  const sending = upload(file, chosenOperation(), chosen, key, uploadProgress(Date.now()));
  find("upload-stop").onclick = sending.stop;
  find("upload-stop").focus();
  try {
    const job = await sending.done;
    key = null;
    showUpload(false);
    announce(`${file.name} is sent; the job waits for its turn.`);
    jobs.add(job);
  } catch (error) {
    showUpload(false);
    await refused(error);
  }
}

async function refused(error) {
  if (error.name === "AbortError") announce("The upload was stopped.");
  else if (error.status === 401) await signIn();
  else fault(error.message);
  if (error.status) key = null;
  find("start").focus();
}

function acceptDrops() {
  const drop = find("drop");
  const hover = (on) => (event) => {
    event.preventDefault();
    drop.classList.toggle("over", on);
  };
  // Anywhere on the page: a file that misses the field must not replace the page.
  document.addEventListener("dragover", hover(true));
  document.addEventListener("dragleave", hover(false));
  document.addEventListener("drop", (event) => {
    hover(false)(event);
    if (find("upload").hidden) choose(event.dataTransfer.files);
  });
  find("file").addEventListener("change", (event) => choose(event.target.files));
}

async function open() {
  try {
    const found = await call("GET", "/v1/operations");
    showOperations(found.operations);
  } catch (error) {
    fault(error.message);
    showReach(false);
    setTimeout(open, 3000);
    return;
  }
  fault("");
  jobs.refresh();
  new Memory().watch();
}

find("form").addEventListener("submit", start);
find("form").addEventListener("input", (event) => { if (event.target.id !== "file") key = null; });
acceptDrops();
open();
