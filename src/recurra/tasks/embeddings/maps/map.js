// Of vectors and words alone; what follows "the page" below needs a document.

// Vectors as they lie in the page: bytes, of which only the directions count.
function spaceOf({ words, size, vectors }) {
  const bytes = Int8Array.from(atob(vectors), character => character.charCodeAt(0));
  const lengths = words.map((_, i) => Math.hypot(...bytes.subarray(i * size, (i + 1) * size)) || 1);
  return { words, size, bytes, lengths, folded: words.map(fold) };
}

// A word as it is looked for: without accents, in small letters.
function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();
}

// The index of a word: as it is, or else the most frequent one that differs in accents and capitals only; -1 if there is none.
function find(space, typed) {
  const exact = space.words.indexOf(typed.trim());
  return exact >= 0 || !fold(typed) ? exact : space.folded.indexOf(fold(typed));
}

// Indices of words to suggest: the one typed, then those that begin so, then those that hold it; the most frequent first.
function suggest(space, typed, most) {
  const wanted = fold(typed), exact = find(space, typed);
  if (!wanted) return exact >= 0 ? [exact] : [];
  const begin = [], within = [];
  space.folded.forEach((word, i) => {
    if (i !== exact && word.includes(wanted)) (word.startsWith(wanted) ? begin : within).push(i);
  });
  return [...(exact >= 0 ? [exact] : []), ...begin, ...within].slice(0, most);
}

function unit(space, index) {
  return Float64Array.from(space.bytes.subarray(index * space.size, (index + 1) * space.size), value => value / space.lengths[index]);
}

// The words nearest a direction by cosine, but for some.
function nearest(space, direction, without, most) {
  const length = Math.hypot(...direction) || 1;
  const found = space.words.map((_, index) => {
    let sum = 0;
    for (let k = 0, at = index * space.size; k < space.size; k++) sum += direction[k] * space.bytes[at + k];
    return { index, cosine: sum / (length * space.lengths[index]) };
  });
  return found.filter(({ index }) => !without.includes(index)).sort((p, q) => q.cosine - p.cosine).slice(0, most);
}

const neighbours = (space, index, most) => nearest(space, unit(space, index), [index], most);

// a is to b as c is to: the words nearest b - a + c, of vectors of length one.
function analogies(space, a, b, c, most) {
  const [from, to, start] = [a, b, c].map(index => unit(space, index));
  return nearest(space, start.map((value, k) => value + to[k] - from[k]), [a, b, c], most);
}

// ---- the page ----
const MOST = 12, OPTIONS = 8;
let root, data, space, canvas, pen, own;
const at = id => root.getElementById(id);
const quoted = text => `“${text}”`;
// What is looked at: `scale` pixels a unit, `x` and `y` the place in the middle; and what is marked: words, lines between them.
let view = { x: .5, y: .5, scale: 1 }, marked = { words: [], lines: [] }, over = -1, boxes = [], waiting = false;

// Open the map alone, in a document or a shadow root. `values` are those of `page_data` in page.py; `host.choose(index)` is
// called when a word is chosen, `host.clear()` when none is any more.
export function openMap(where, values, host) {
  [root, data, space, own] = [where, values, spaceOf(values), host];
  [over, boxes, waiting, canvas] = [-1, [], false, at("map")];
  pen = canvas.getContext("2d");
  listen();
  own.clear();
  fit();
}

// Mark the words at these places of the list, the first above all, with a line from it to each of the others.
export function mark(indices) {
  const [first, ...others] = indices;
  marked = { words: indices, lines: others.map(to => ({ from: first, to, ink: "--faint" })) };
  if (indices.length && !seen(first)) fit(indices);
  redraw();
}

// All text goes in as text, never as markup: a word may be anything.
function make(tag, text, properties) {
  const element = document.createElement(tag);
  element.textContent = text ?? "";
  return Object.assign(element, properties);
}

function redraw() {
  if (!waiting) requestAnimationFrame(draw);
  waiting = true;
}

const size = () => [canvas.clientWidth, canvas.clientHeight];
const screen = i => {
  const [width, height] = size();
  return [(data.x[i] - view.x) * view.scale + width / 2, (data.y[i] - view.y) * view.scale + height / 2];
};
const fontSize = i => 17 - 6 * Math.log1p(i) / Math.log1p(Math.max(1, data.words.length - 1));
const shown = word => word.length > 40 ? word.slice(0, 37) + "…" : word;

function draw() {
  waiting = false;
  const [width, height] = size(), ratio = devicePixelRatio || 1, style = getComputedStyle(canvas);
  const colour = name => style.getPropertyValue(name).trim();
  const inks = data.groups.map(group => colour("--g" + group % 8));
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio))
    Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const faded = marked.words.length > 0, places = data.words.map((_, i) => screen(i));
  for (const { from, to, ink, arrow } of marked.lines) line(places[from], places[to], colour(ink), arrow);
  const inside = data.words.map((_, i) => i).filter(i => {
    const [x, y] = places[i];
    return x > -5 && y > -5 && x < width + 5 && y < height + 5;
  });
  for (const i of inside) {
    pen.globalAlpha = marked.words.includes(i) ? 1 : faded ? .25 : .45;
    pen.fillStyle = inks[i];
    pen.beginPath();
    pen.arc(...places[i], marked.words.includes(i) ? 4.5 : fontSize(i) / 5, 0, 7);
    pen.fill();
  }
  const first = [...marked.words, ...(over >= 0 ? [over] : [])].filter(i => inside.includes(i));
  boxes = [];
  for (const i of new Set([...first, ...inside])) name(i, places[i], first.includes(i), inks[i], faded, colour);
  pen.globalAlpha = 1;
  if (canvas.matches(":focus-visible")) line([width / 2 - 8, height / 2], [width / 2 + 8, height / 2], colour("--accent")),
    line([width / 2, height / 2 - 8], [width / 2, height / 2 + 8], colour("--accent"));
}

// Write a word beside its dot where no other stands; one that is marked has the first choice.
function name(i, [x, y], first, ink, faded, colour) {
  const chosen = i === marked.words[0], points = fontSize(i) + (first ? 2 : 0), text = shown(data.words[i]);
  pen.font = `${first ? "600 " : ""}${points}px system-ui, sans-serif`;
  const width = pen.measureText(text).width, [w] = size();
  const sides = x + width + 8 > w ? [x - width - 6, x + 6] : [x + 6, x - width - 6];
  const options = [...sides.map(left => [left, y]), [x - width / 2, y - points], [x - width / 2, y + points],
    ...sides.flatMap(left => [[left, y - points], [left, y + points]])];
  const free = options.map(([left, middle]) => ({ i, left, top: middle - points * .6, right: left + width, bottom: middle + points * .6 }))
    .find(box => !boxes.some(b => b.left < box.right + 2 && b.right > box.left - 2 && b.top < box.bottom && b.bottom > box.top));
  if (!free) return;
  boxes.push(free);
  pen.globalAlpha = first || !faded ? 1 : .3;
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.lineJoin = "round";
  pen.lineWidth = 3;
  pen.strokeStyle = colour("--box");
  pen.strokeText(text, free.left, (free.top + free.bottom) / 2);
  pen.fillStyle = chosen ? colour("--ink") : ink;
  pen.fillText(text, free.left, (free.top + free.bottom) / 2);
}

function line([x, y], [u, v], ink, arrow) {
  pen.globalAlpha = .75;
  pen.strokeStyle = pen.fillStyle = ink;
  pen.lineWidth = arrow ? 2.2 : 1.3;
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(u, v);
  pen.stroke();
  if (!arrow) return;
  const angle = Math.atan2(v - y, u - x), corner = turn => [u - 6 * Math.cos(angle) - 12 * Math.cos(angle + turn), v - 6 * Math.sin(angle) - 12 * Math.sin(angle + turn)];
  pen.beginPath();
  pen.moveTo(u - 6 * Math.cos(angle), v - 6 * Math.sin(angle));
  pen.lineTo(...corner(.4));
  pen.lineTo(...corner(-.4));
  pen.fill();
}

// Zoom by a factor around a place on the canvas, which stays where it is.
function zoom(factor, px, py) {
  const [width, height] = size(), before = view.scale, least = whole() * .6;
  view.scale = Math.min(Math.max(before * factor, least), whole() * 400);
  for (const [axis, offset] of [["x", (px ?? width / 2) - width / 2], ["y", (py ?? height / 2) - height / 2]])
    view[axis] = Math.min(Math.max(view[axis] + offset / before - offset / view.scale, 0), 1);
  redraw();
}

function move(dx, dy) {
  view.x = Math.min(Math.max(view.x - dx / view.scale, 0), 1);
  view.y = Math.min(Math.max(view.y - dy / view.scale, 0), 1);
  redraw();
}

// The scale at which all words are seen.
function whole() {
  const [width, height] = size(), extent = values => Math.max(...values) - Math.min(...values) || 1e-3;
  return Math.max(1, Math.min((width - 110) / extent(data.x), (height - 50) / extent(data.y)));
}

const middle = values => (Math.max(...values) + Math.min(...values)) / 2;
function fit(indices) {
  const all = indices === undefined, [x, y] = [data.x, data.y].map(values => all ? values : indices.map(i => values[i]));
  const [width, height] = size(), extent = values => Math.max(...values) - Math.min(...values) || 1e-3;
  const scale = Math.min((width - 180) / extent(x), (height - 100) / extent(y));
  view = { x: middle(x), y: middle(y), scale: all ? whole() : Math.max(whole(), Math.min(scale, whole() * 6)) };
  redraw();
}

const seen = i => screen(i).every((value, axis) => value > 20 && value < size()[axis] - 20);

function list(id, found) {
  at(id).replaceChildren(...found.map(({ index, cosine }) => {
    const item = make("li"), button = make("button", "", { type: "button", onclick: () => choose(index) });
    button.style.setProperty("--share", `${Math.max(0, 100 * cosine).toFixed(0)}%`);
    button.append(make("bdi", data.words[index]), make("span", cosine.toFixed(3).replace("-", "−")));
    item.append(button);
    return item;
  }));
}

function choose(index) {
  const found = neighbours(space, index, MOST);
  at("word").textContent = `Neighbours of ${quoted(data.words[index])}`;
  at("status").textContent = `Nearest on this map: ${found.slice(0, 3).map(({ index }) => data.words[index]).join(", ")}. By cosine, 1 for the same direction.`;
  list("neighbours", found);
  mark([index, ...found.map(({ index }) => index)]);
}

function clear() {
  mark([]);
  at("word").textContent = "Neighbours";
  at("status").textContent = "Choose a word, on the map or by its name.";
  list("neighbours", []);
}

function solve() {
  const typed = ["a", "b", "c"].map(id => at(id).value), indices = typed.map(word => find(space, word));
  const missing = typed.filter((_, k) => indices[k] < 0);
  list("answers", []);
  if (missing.length) {
    at("answer").textContent = missing.some(word => !word.trim()) ? "Three words are needed." : `Not on this map: ${missing.map(quoted).join(", ")}.`;
    return;
  }
  const [a, b, c] = indices, found = analogies(space, a, b, c, 5);
  if (!found.length) return;
  const best = found[0].index, [name_a, name_b, name_c] = indices.map(i => data.words[i]);
  at("answer").textContent = `${quoted(name_a)} is to ${quoted(name_b)} as ${quoted(name_c)} is to ${quoted(data.words[best])}: nearest to ${name_b} − ${name_a} + ${name_c} on this map, by cosine.`;
  list("answers", found);
  marked = { words: [best, a, b, c], lines: [{ from: a, to: b, ink: "--accent", arrow: true }, { from: c, to: best, ink: "--second", arrow: true }] };
  fit(marked.words);
}

// An input that suggests words as ARIA's authoring practices want a combobox to; gives back what takes one of them.
function combobox(input, chosen) {
  const box = make("ul", "", { id: input.id + "-options", hidden: true });
  box.setAttribute("role", "listbox");
  box.setAttribute("aria-label", "suggestions");
  for (const [key, value] of [["role", "combobox"], ["aria-expanded", "false"], ["aria-controls", box.id], ["aria-autocomplete", "list"]]) input.setAttribute(key, value);
  input.after(box);
  let found = [], active = -1;
  function show(indices) {
    found = indices;
    active = -1;
    box.replaceChildren(...found.map((index, k) => {
      const option = make("li", data.words[index], { id: `${box.id}-${k}`, dir: "auto" });
      option.setAttribute("role", "option");
      option.addEventListener("pointerdown", event => { event.preventDefault(); take(index); });
      return option;
    }));
    box.hidden = !found.length;
    input.setAttribute("aria-expanded", String(found.length > 0));
    point(-1);
  }
  function point(k) {
    active = k;
    [...box.children].forEach((option, number) => option.setAttribute("aria-selected", String(number === k)));
    k < 0 ? input.removeAttribute("aria-activedescendant") : input.setAttribute("aria-activedescendant", `${box.id}-${k}`);
  }
  function take(index) {
    input.value = data.words[index];
    show([]);
    chosen(index);
  }
  input.addEventListener("input", () => show(suggest(space, input.value, OPTIONS)));
  input.addEventListener("blur", () => show([]));
  input.addEventListener("keydown", event => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!found.length) show(suggest(space, input.value, OPTIONS));
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (found.length) point(active < 0 ? (step > 0 ? 0 : found.length - 1) : (active + step + found.length) % found.length);
      event.preventDefault();
    } else if (event.key === "Escape" && found.length) {
      show([]);
      event.preventDefault();
    } else if (event.key === "Enter" && active >= 0) {
      take(found[active]);
      event.preventDefault();
    }
  });
  return take;
}

// The word under a place on the canvas, or the dot near it; -1 for none.
function under(px, py) {
  const box = boxes.find(b => px >= b.left - 2 && px <= b.right + 2 && py >= b.top && py <= b.bottom);
  return box ? box.i : closest(px, py, 14);
}
function closest(px, py, within) {
  let best = -1, least = within;
  data.words.forEach((_, i) => {
    const [x, y] = screen(i), distance = Math.hypot(x - px, y - py);
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

function listen() {
  const pointers = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    if (!pointers.size) moved = 0;
    pointers.set(event.pointerId, event);
  });
  canvas.addEventListener("pointermove", event => {
    const before = pointers.get(event.pointerId);
    if (!before) {
      const index = under(event.offsetX, event.offsetY);
      canvas.classList.toggle("over", index >= 0);
      if (index !== over) { over = index; redraw(); }
      return;
    }
    const dx = event.offsetX - before.offsetX, dy = event.offsetY - before.offsetY;
    moved += Math.hypot(dx, dy);
    if (pointers.size === 2) {
      const other = [...pointers.values()].find(pointer => pointer.pointerId !== event.pointerId);
      const apart = pointer => Math.hypot(pointer.offsetX - other.offsetX, pointer.offsetY - other.offsetY);
      zoom(apart(event) / Math.max(1, apart(before)), other.offsetX, other.offsetY);
    } else if (moved > 4) {
      canvas.classList.add("dragged");
      move(dx, dy);
    }
    pointers.set(event.pointerId, event);
  });
  const release = event => {
    pointers.delete(event.pointerId);
    canvas.classList.remove("dragged");
  };
  canvas.addEventListener("pointerup", event => {
    const index = under(event.offsetX, event.offsetY), click = pointers.size === 1 && moved <= 4;
    release(event);
    if (click) index >= 0 ? own.choose(index) : own.clear();
  });
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { over = -1; redraw(); });
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    zoom(2 ** (-event.deltaY * (event.deltaMode ? 20 : 1) / (event.ctrlKey ? 60 : 300)), event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("keydown", event => {
    const [width, height] = size(), step = Math.min(width, height) / 8;
    const act = {
      ArrowLeft: () => move(step, 0), ArrowRight: () => move(-step, 0), ArrowUp: () => move(0, step), ArrowDown: () => move(0, -step),
      "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: () => fit(), Escape: () => own.clear(),
      Enter: () => own.choose(closest(width / 2, height / 2, Infinity)),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  for (const event of ["focus", "blur"]) canvas.addEventListener(event, redraw);
  at("closer").addEventListener("click", () => zoom(1.5));
  at("farther").addEventListener("click", () => zoom(1 / 1.5));
  at("whole").addEventListener("click", () => fit());
  const take = combobox(at("search"), index => own.choose(index));
  at("search").addEventListener("keydown", event => {
    if (event.key !== "Enter" || event.defaultPrevented || !event.target.value.trim()) return;
    const [index] = suggest(space, event.target.value, 1);
    if (index !== undefined) return take(index);
    at("status").textContent = `${quoted(event.target.value.trim())} is not on this map.`;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new ResizeObserver(redraw).observe(canvas);
}

// The page of `plot`: the map with neighbours and analogies, which are worked out here.
export function show(where, values) {
  openMap(where, values, { choose, clear });
  const count = data.words.length.toLocaleString("en");
  document.title = `${data.name}: a map of ${count} words`;
  at("title").textContent = `${data.name}: ${count} words`;
  at("about").textContent = [data.faithful + ".", ...data.axes.map((axis, k) => `${k ? "Upwards" : "Across"}: the ${axis}.`)].join(" ");
  at("rounded").textContent = data.rounded;
  for (const id of ["a", "b", "c"]) combobox(at(id), () => {});
  at("analogy").addEventListener("submit", event => {
    event.preventDefault();
    solve();
  });
  if (data.analogy.length) {
    ["a", "b", "c"].forEach((id, k) => { at(id).value = data.words[data.analogy[k]]; });
    solve();
  }
}
