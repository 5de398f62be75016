// The shell: the models as tabs, the panel of the chosen one, its card, and what was asked last as lines to copy.
import { make, curlLine, Refused } from "/assets/kit.js";

const at = id => document.getElementById(id);
let models = [], close = null;

function tell(model) {
  document.title = `${model.id} — Recurra`;
  at("name").textContent = model.id;
  at("text").textContent = model.card;
}

// What a panel gets: where to draw, whose model, and how to tell what happens.
function panelOf(model, root) {
  const own = () => at("host").shadowRoot === root;  // a panel that was left has no say any more
  return {
    root,
    model,
    say: text => { if (own()) at("status").textContent = text; },
    refuse: error => {
      if (!own() || error?.name === "AbortError") return;
      if (error && !(error instanceof Refused)) console.error(error);
      at("refused").textContent = error ? error.message : "";
      at("refused").hidden = !error;
    },
    asked: ({ path, fields, file, python }) => {
      if (!own()) return;
      at("lines").hidden = false;
      at("curl").textContent = curlLine(path, fields, file);
      at("python").textContent = python;
    },
  };
}

async function open(model) {
  close?.();
  close = null;
  for (const tab of at("models").children) {
    const chosen = tab.dataset.model === model.id;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
  }
  tell(model);
  const host = make("div", "", { id: "host" });
  host.append(...at("host").children);  // what happens is told where the panel has its slot
  at("host").replaceWith(host);
  const root = host.attachShadow({ mode: "open" }), panel = panelOf(model, root);
  panel.say("");
  panel.refuse(null);
  at("lines").hidden = true;
  try {
    const code = await import(`/assets/${model.task}/panel.js`);
    at("about").textContent = code.summary;
    await Promise.all(["/assets/base.css", ...code.styles, "/assets/panel.css"].map(href => linked(root, href)));
    if (at("host") === host) close = code.open(panel) ?? null;
  } catch (error) {
    panel.refuse(error);
  }
}

// A style sheet in a shadow root; waits until it is there, so that nothing jumps.
function linked(root, href) {
  return new Promise(resolve => root.append(make("link", "", { rel: "stylesheet", href, onload: resolve, onerror: resolve })));
}

// The model that the address names; what is typed there by hand may be no such name at all.
function chosen() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash.slice(1);
  }
}

function choose(name) {
  const model = models.find(each => each.id === name) ?? models[0];
  if (chosen() !== model.id) history.replaceState(null, "", "#" + encodeURIComponent(model.id));
  return open(model);
}

function tabs() {
  at("models").replaceChildren(...models.map(model => {
    const tab = make("button", model.id, { type: "button", id: `tab-${model.id}`, onclick: () => choose(model.id) });
    tab.append(make("small", model.task));
    tab.dataset.model = model.id;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", "panel");
    return tab;
  }));
  at("models").addEventListener("keydown", event => {
    const all = [...at("models").children], here = all.indexOf(document.activeElement);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const there = step ? (here + step + all.length) % all.length : { Home: 0, End: all.length - 1 }[event.key];
    if (there === undefined) return;
    event.preventDefault();
    all[there].focus();
    choose(all[there].dataset.model);
  });
}

async function copy(button) {
  const text = at(button.dataset.copies).textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {  // not allowed here: select it, so that a key does
    getSelection().selectAllChildren(at(button.dataset.copies));
    button.textContent = "press Ctrl+C";
  }
  setTimeout(() => { button.textContent = "copy"; }, 2000);
}

async function begin() {
  for (const button of document.querySelectorAll("[data-copies]")) button.addEventListener("click", () => copy(button));
  try {
    models = (await (await fetch("/v1/models")).json()).data;
  } catch {
    at("refused").textContent = "the server does not answer; is it still running?";
    at("refused").hidden = false;
    return;
  }
  tabs();
  addEventListener("hashchange", () => choose(chosen()));
  await choose(chosen());
}
begin();
