// What every panel stands on: elements, asking the server, the lines to copy. Nothing here knows a task.

// An element with text, never markup: what a model says may be anything.
export function make(tag, text, properties) {
  const element = document.createElement(tag);
  element.textContent = text ?? "";
  return Object.assign(element, properties);
}

// Markup of our own as elements. The policy of the page allows no style attributes, so they are set by script; text in
// the markup is escaped, and so never holds one. What is for whole pages alone is left out.
export function fragment(markup) {
  const template = document.createElement("template");
  template.innerHTML = markup.replaceAll(' style="', ' data-style="');
  for (const element of template.content.querySelectorAll("[data-style]")) {
    element.style.cssText = element.dataset.style;
    element.removeAttribute("data-style");
  }
  for (const element of template.content.querySelectorAll("noscript, h1, [data-whole]")) element.remove();
  return template.content;
}

// What the server refused: one sentence.
export class Refused extends Error {}

async function checked(response) {
  if (response.ok) return response;
  let told = `the server answered with status ${response.status}`;
  try {
    told = (await response.json()).error.message;
  } catch { /* no JSON: the status is all there is to tell */ }
  throw new Refused(told);
}

async function send(path, options) {
  try {
    return await checked(await fetch(path, { method: "POST", ...options }));
  } catch (error) {
    if (error instanceof TypeError) throw new Refused("the server does not answer; is it still running?");
    throw error;
  }
}

const asJson = (fields, signal) => ({ headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields), signal });

// The answer to a request, JSON values. A file goes as the body, the fields then as the query.
export async function ask(path, fields, { file, signal } = {}) {
  const options = file ? { headers: { "Content-Type": "application/octet-stream" }, body: file, signal } : asJson(fields, signal);
  const response = await send(file ? `${path}?${new URLSearchParams(fields)}` : path, options);
  return response.json();
}

const BUSY = 30;  // milliseconds

// The events of a request as they come.
export async function* events(path, fields, signal) {
  const response = await send(path, asJson({ ...fields, stream: true }, signal));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "", rested = performance.now();
  for (;;) {
    if (performance.now() - rested > BUSY) {  // else what comes fast keeps the page from noticing that Stop is pressed
      await new Promise(resolve => setTimeout(resolve));
      rested = performance.now();
    }
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (held + value).split("\n\n");
    held = parts.pop();
    for (const part of parts) {
      const data = part.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const event = JSON.parse(data);
      if (event.error) throw new Refused(event.error.message);
      yield event;
    }
  }
}

// Call `work(signal)` for the latest wish only: an earlier one still under way is given up. With `later` it waits first.
export function latest(work) {
  let running = null, timer = 0;
  const stop = () => {
    clearTimeout(timer);
    running?.abort();
    running = null;
  };
  const start = async () => {
    stop();
    const own = running = new AbortController();
    try {
      await work(own.signal);
    } finally {
      if (running === own) running = null;
    }
  };
  return { start, stop, later: (wait, failed) => { clearTimeout(timer); timer = setTimeout(() => start().catch(failed), wait); } };
}

// The values of a form by name, as numbers where they are: what is left empty is left out.
export function valuesOf(form) {
  const found = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || field.type === "file") continue;
    if (field.type === "checkbox") found[field.name] = field.checked;
    else if (field.type === "number" || field.type === "range") { if (field.value !== "") found[field.name] = Number(field.value); }
    else if (field.value !== "") found[field.name] = field.value;
  }
  return found;
}

// Move among elements with the arrow keys; one of them can be reached with Tab.
export function roving(box, selector) {
  box.addEventListener("keydown", event => {
    const all = [...box.querySelectorAll(selector)], here = all.indexOf(box.getRootNode().activeElement);
    const there = { ArrowLeft: here - 1, ArrowUp: here - 1, ArrowRight: here + 1, ArrowDown: here + 1, Home: 0, End: all.length - 1 }[event.key];
    if (here < 0 || !all[there]) return;
    event.preventDefault();
    all[here].tabIndex = -1;
    all[there].tabIndex = 0;
    all[there].focus();
  });
}

// A form's drop zone: calls `take(file)` for a file that is dropped, chosen or pasted.
export function dropZone(zone, input, take) {
  input.addEventListener("change", () => input.files[0] && take(input.files[0]));
  zone.addEventListener("dragover", event => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", event => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  zone.addEventListener("paste", event => event.clipboardData.files[0] && take(event.clipboardData.files[0]));
}

export const bits = logProb => -logProb / Math.LN2;
export const percent = p => p >= .9995 && p < 1 ? "> 99.9 %" : p >= .0995 ? `${(100 * p).toFixed(0)} %` : p >= .0005 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %";

const quoted = text => `'${text.replaceAll("'", "'\\''")}'`;

// The curl line that asks the same.
export function curlLine(path, fields, file) {
  const address = location.origin + path;
  if (file) return `curl --data-binary ${quoted("@" + file)} ${quoted(`${address}?${new URLSearchParams(fields)}`)} -H 'Content-Type: application/octet-stream'`;
  return `curl ${address} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(fields))}`;
}

// A value as Python writes it.
export function python(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "string") return String(value);
  return JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029]/g, c => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

// The options of a call as Python has them: those that are given, by name.
export const named = options => Object.entries(options).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${python(value)}`);

// The lines that do the same with the model from Python. `call` is the call of a method but for its end.
export function pythonLines(model, call, options = {}) {
  return `import recurra\n\nmodel = recurra.load(${python(model)})\nprint(${[call, ...named(options)].join(", ")}))`;
}
