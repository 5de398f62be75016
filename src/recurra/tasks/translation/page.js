// What is done with the page of `explain` for translation, and with the same in the page of `serve`.
let root, data, chosen;

// Make live what stands in a document or a shadow root; `values` are those of `page_data` in page.py.
export function show(where, values) {
  [root, data, chosen] = [where, values, 0];
  listen();
}
const at = id => root.getElementById(id);
const minus = value => String(value).replace("-", "−");
// All text goes in as text, never as markup: what a model has read is nobody's promise.

// The same as `normalized` in beams.py.
const RULES = {
  power: (total, length, alpha) => total / length ** alpha,
  gnmt: (total, length, alpha) => total / ((5 + length) / 6) ** alpha,
};

function choose(index) {
  at("translation").textContent = data.candidates[index].text;
  for (const part of ["output", "map"]) {
    if (at(`${part}-${chosen}`)) at(`${part}-${chosen}`).hidden = true;
    if (at(`${part}-${index}`)) at(`${part}-${index}`).hidden = false;
  }
  at("row-" + chosen).removeAttribute("aria-current");
  at("row-" + index).setAttribute("aria-current", "true");
  mark(chosen, false);
  mark(index, true);
  chosen = index;
  const drawn = at("map-" + index) !== null, attends = at("attends-not").hidden;
  at("maps").hidden = !drawn;
  at("no-map").hidden = drawn || !attends;
  look(null);
}

function mark(index, on) {
  for (const node of data.candidates[index].path)
    for (const part of ["node-", "edge-"]) at(part + node)?.classList.toggle("chosen", on);
}

// Show what output token `step` of the chosen output looked at, above all at source token `place` if one is given.
function look(step, place) {
  const candidate = data.candidates[chosen], weights = step === null ? null : candidate.weights?.[step];
  const sources = [...at("sources").children], largest = Math.max(...weights ?? [0]);
  sources.forEach((token, i) => {
    token.style.setProperty("--weight", weights ? weights[i] / (largest || 1) : 0);
    token.lastElementChild.textContent = weights && weights[i] >= .005 ? weights[i].toFixed(2) : "";
    token.classList.toggle("at", i === place);
  });
  for (const token of at("output-" + chosen).children) token.classList.toggle("at", Number(token.dataset.step) === step);
  frame(step, place);
  at("looked").textContent = step === null ? "\u00a0" : told(candidate, step, weights, place);
}

function told(candidate, step, weights, place) {
  const log = candidate.log_probs[step];
  const begin = `“${candidate.tokens[step]}”: log p ${log === null ? "−∞" : minus(log.toFixed(4))}`;
  if (!weights) return begin;
  const name = i => `“${data.sources[i]}” ${weights[i].toFixed(3)}`;
  if (place !== undefined) return `${begin}; looked at ${name(place)}`;
  const most = weights.map((_, i) => i).sort((a, b) => weights[b] - weights[a]).filter(i => weights[i] >= .005).slice(0, 5);
  return `${begin}; looked at ${most.map(name).join(", ")}`;
}

function frame(step, place) {
  const svg = at("map-" + chosen)?.firstElementChild;
  if (!svg) return;
  const { left, top, cell } = Object.fromEntries(Object.entries(svg.dataset).map(([key, value]) => [key, Number(value)]));
  const [row, column] = svg.querySelectorAll(".frame"), rows = data.candidates[chosen].tokens.length, columns = data.sources.length;
  const put = (rect, x, y, width, height) =>
    Object.entries({ x, y, width, height }).forEach(([key, value]) => rect.setAttribute(key, value));
  step === null ? put(row, 0, 0, 0, 0) : put(row, left, top + cell * step, cell * columns, cell);
  place === undefined ? put(column, 0, 0, 0, 0) : put(column, left + cell * place, top, cell, cell * rows);
  svg.querySelectorAll(".target").forEach((label, i) => label.classList.toggle("at", i === step));
  svg.querySelectorAll(".source").forEach((label, i) => label.classList.toggle("at", i === place));
}

function cellUnder(event) {
  const svg = at("map-" + chosen).firstElementChild, box = svg.getBoundingClientRect();
  const { left, top, cell } = svg.dataset;
  const place = Math.floor((event.clientX - box.left - left) / cell), step = Math.floor((event.clientY - box.top - top) / cell);
  const inside = step >= 0 && step < data.candidates[chosen].tokens.length && place < data.sources.length;
  return inside ? [step, place >= 0 ? place : undefined] : [null, undefined];
}

// The slider snaps to its steps: what the search ranked by is given as it was.
function rank(kind, alpha) {
  const score = c => RULES[kind](c.total ?? -Infinity, c.length, alpha) + (c.penalty ?? 0);
  const scores = data.candidates.map(score);
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  order.forEach((index, place) => {
    const row = at("row-" + index);
    row.querySelector(".rank").textContent = place + 1;
    row.querySelector(".score").textContent = minus(scores[index].toFixed(4));
    if (at("rows").children[place] !== row) at("rows").insertBefore(row, at("rows").children[place]);
  });
  at("alpha-value").textContent = alpha;
  at("ranked").textContent = `Ranked so, the best is: ${data.candidates[order[0]].text}`;
  choose(order[0]);
}

function listen() {
  data.candidates.forEach((candidate, index) => {
    const cell = at("row-" + index).querySelector(".text"), button = document.createElement("button");
    Object.assign(button, { type: "button", className: "frameless", onclick: () => choose(index) });
    button.append(...cell.childNodes);
    cell.append(button);
    const end = candidate.path.length ? at("node-" + candidate.path.at(-1)) : null;
    end?.addEventListener("click", () => choose(index));
    end?.classList.add("choice");
  });
  const outputs = at("outputs");
  for (const event of ["mouseover", "focusin"])
    outputs.addEventListener(event, ({ target }) => target.closest(".token") && look(Number(target.closest(".token").dataset.step)));
  for (const [box, event] of [[outputs, "mouseleave"], [outputs, "focusout"], [at("maps"), "mouseleave"]])
    box.addEventListener(event, () => look(null));
  outputs.addEventListener("keydown", event => {
    const tokens = [...at("output-" + chosen).children], here = tokens.indexOf(root.activeElement);
    const there = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: tokens.length - 1 }[event.key];
    if (here < 0 || !tokens[there]) return;
    event.preventDefault();
    tokens[here].tabIndex = -1;
    tokens[there].tabIndex = 0;
    tokens[there].focus();
  });
  at("maps").addEventListener("mousemove", event => look(...cellUnder(event)));
  const asked = () => rank(root.querySelector("[name=kind]:checked").value, Number(at("alpha").value));
  at("alpha").addEventListener("input", asked);
  for (const choice of root.querySelectorAll("[name=kind]")) choice.addEventListener("change", asked);
  at("reset").addEventListener("click", () => {
    at("alpha").value = data.alpha;
    root.querySelector(`[name=kind][value=${data.kind}]`).checked = true;
    rank(data.kind, data.alpha);
  });
}
