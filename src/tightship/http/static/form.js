// The options of an operation as a form, built from their JSON schema.

import { find, h } from "./dom.js";
import { words } from "./format.js";

// What people should read; an option that is not named here is shown with the schema's own words.
const TEXTS = {
  width: { label: "Width", unit: "px", hint: "The shape is kept, and nothing is enlarged.", empty: "as it is", basic: true },
  height: { label: "Height", unit: "px", hint: "Leave one of the two empty to keep the shape.", empty: "as it is" },
  fps: { label: "Frame rate", unit: "fps", hint: "At most; empty keeps every frame.", empty: "every frame", basic: true },
  start_s: { label: "From", unit: "s", basic: true },
  end_s: { label: "To", unit: "s", empty: "the end", basic: true },
  loop: { label: "Plays", unit: "times", hint: "0 plays for ever." },
  dither: { label: "Dithering", hint: "How missing colours are imitated; none makes the smallest file." },
  colors: { label: "Colours", hint: "Of a palette; empty leaves it to the quality.", empty: "by quality" },
  quality: { label: "Quality", basic: true, choices: { low: "Small file", medium: "Balanced", high: "Best colours" } },
  exact: { label: "Exact to the frame", hint: "Slower: the pictures are encoded again. Else it starts at a key frame.", basic: true },
  container: { label: "Format", empty: "as the source" },
  model: { label: "Model", hint: "A name such as tiny.en or small; it must be on the server.", empty: "default" },
  language: { label: "Language", hint: "A code or an English name: de, german.", empty: "detected", basic: true },
  task: { label: "Write", basic: true, choices: { transcribe: "As spoken", translate: "In English" } },
  format: {
    label: "Format", basic: true,
    choices: { json: "JSON", text: "Text", srt: "SRT subtitles", vtt: "WebVTT subtitles", verbose_json: "Timed JSON" },
  },
  prompt: { label: "Prompt", hint: "Taken to stand before the first word: names, spelling, style.", empty: "none" },
  hotwords: { label: "Hot words", hint: "Words to expect anywhere.", empty: "none" },
  temperature: { label: "Temperature", hint: "0 searches for the likeliest words; 1 draws freely." },
  beam_size: { label: "Beam size", hint: "Alternatives that the search keeps." },
  batch_size: { label: "Batch size", hint: "Windows of 30 s at once.", empty: "by model" },
  words: { label: "Times of words", hint: "In timed JSON." },
  segments: { label: "Segments", hint: "In timed JSON." },
  track: { label: "Sound track", hint: "Counted from 0.", empty: "default" },
  vad_filter: { label: "Only where there is voice" },
};
const NAMES = { gif: "GIF", clip: "Clip", info: "Info", transcribe: "Transcript" };
const SUFFIX_UNITS = { _s: "s", _px: "px", _fps: "fps", _bytes: "bytes" };

export const operationLabel = (name) => NAMES[name] ?? words(name);

/** What one property of a schema asks for: `{ type, values, minimum, maximum, nullable, fallback }`. */
function shape(property) {
  const kinds = property.anyOf ?? [property];
  const main = kinds.find((kind) => kind.type !== "null") ?? property;
  return {
    type: main.type,
    values: main.enum ?? null,
    minimum: main.minimum ?? main.exclusiveMinimum,
    maximum: main.maximum ?? main.exclusiveMaximum,
    nullable: kinds.some((kind) => kind.type === "null"),
    fallback: property.default ?? null,
  };
}

function texts(name, property) {
  const suffix = Object.keys(SUFFIX_UNITS).find((ending) => name.endsWith(ending));
  const own = { label: words(suffix ? name.slice(0, -suffix.length) : name), unit: SUFFIX_UNITS[suffix], hint: property.description };
  return { ...own, ...TEXTS[name] };
}

function select(id, wanted, text) {
  const chosen = wanted.fallback ?? "";
  const option = (value, label) => h("option", { value, selected: value === chosen }, label);
  const values = wanted.values.map((value) => option(value, text.choices?.[value] ?? words(String(value))));
  return h("select", { id }, wanted.nullable ? option("", words(text.empty ?? "automatic")) : null, values);
}

function control(id, wanted, text) {
  if (wanted.values) return select(id, wanted, text);
  if (wanted.type === "boolean") return h("input", { id, type: "checkbox", checked: Boolean(wanted.fallback) });
  if (wanted.type === "integer" || wanted.type === "number") {
    return h("input", {
      id, type: "number", inputmode: "decimal", step: wanted.type === "integer" ? 1 : "any", min: wanted.minimum,
      max: wanted.maximum, value: wanted.fallback, placeholder: text.empty, required: !wanted.nullable,
    });
  }
  return h("input", { id, type: "text", value: wanted.fallback, placeholder: text.empty });
}

function field(name, property) {
  const [wanted, text, id] = [shape(property), texts(name, property), `option-${name}`];
  const input = control(id, wanted, text);
  const described = [text.hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  input.setAttribute("aria-describedby", described);
  const unit = text.unit && h("span", { class: "unit" }, text.unit);
  const label = h("label", { for: id }, text.label);
  const node = h(
    "div",
    { class: input.type === "checkbox" ? "field tick" : "field" },
    label,
    h("div", { class: "control" }, input, unit),
    text.hint && h("p", { class: "hint", id: `${id}-hint` }, text.hint),
    h("p", { class: "hint wrong", id: `${id}-error` }),
  );
  return { name, wanted, input, node, basic: Boolean(text.basic), label: text.label };
}

/** The form's changing part. */
export class OptionForm {
  #fields = [];

  /** Show the options that `schema` describes. */
  show(schema) {
    this.#fields = Object.entries(schema?.properties ?? {}).map(([name, property]) => field(name, property));
    const nodes = (basic) => this.#fields.filter((one) => one.basic === basic).map((one) => one.node);
    find("options").replaceChildren(...nodes(true));
    find("advanced-options").replaceChildren(...nodes(false));
    find("advanced").hidden = !nodes(false).length;
    find("advanced").open = false;
  }

  /** Return the options as the server wants them, or null after pointing at the first that is wrong. */
  read() {
    this.#check();
    const wrong = this.#fields.filter((one) => this.#mark(one));
    if (wrong.length) {
      if (!wrong[0].basic) find("advanced").open = true;
      wrong[0].input.focus();
      return null;
    }
    return Object.fromEntries(this.#fields.map((one) => [one.name, value(one)]).filter(([, chosen]) => chosen !== undefined));
  }

  #check() {
    const [start, end] = ["start_s", "end_s"].map((name) => this.#fields.find((one) => one.name === name)?.input);
    if (!end) return;
    const reversed = end.value !== "" && Number(end.value) <= Number(start.value || 0);
    end.setCustomValidity(reversed ? "The end must be after the start." : "");
  }

  #mark({ input, node }) {
    const wrong = !input.validity.valid;
    if (wrong) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    node.querySelector(".wrong").textContent = wrong ? input.validationMessage : "";
    return wrong;
  }
}

/** What a field says; undefined leaves the option to the server's default. */
function value({ wanted, input }) {
  if (input.type === "checkbox") return input.checked;
  if (input.value === "") return wanted.nullable && wanted.fallback !== null ? null : undefined;
  return wanted.type === "integer" || wanted.type === "number" ? Number(input.value) : input.value;
}
