// Translating: as `tasks/translation/model.py` does it.

const reader = new Reader(data.vocabulary), network = new EncoderDecoder(data.network);
const CELL = 26, LETTER_WIDTH = 8, LONGEST_LABEL = 14;
let isStopped = true, shown = null;

// The steps of a search; the outputs, the best first, at its end.
function* search(sentence, beamSize) {
  const source = reader.read(sentence), { target } = reader;
  if (source.tokens.length - 1 > data.most_tokens)
    throw new RangeError(`The sentence is ${source.tokens.length - 1} tokens long, but at most ${data.most_tokens} are translated at once; split it.`);
  const problem = {
    start: target.start, end: target.end, unwritable: target.unwritable, suppressed: source.suppressed, required: source.required,
    limit: Math.ceil(data.max_ratio * source.tokens.length) + data.spare,
  };
  const outputs = yield* beamSearch(network, network.encode(source.tokens), problem, beamSize);
  if (!outputs.length) throw new RangeError("No translation was found that has all that must be copied; take a wider beam.");
  return { source, outputs: outputs.map(output => ({ ...output, text: reader.restored(output.tokens, source) })) };
}

// The whole result at once, for programs and tests.
function translate(sentence, beamSize) {
  const steps = search(sentence, beamSize);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return { texts: step.value.outputs.map(({ text }) => text), ...step.value };
}

function show(found) {
  shown = found;
  at("found").hidden = false;
  at("attention").hidden = !found.outputs[0].weights;
  at("attends-not").hidden = !at("attention").hidden;
  at("outputs").replaceChildren(...found.outputs.map((output, index) => make("li", {},
    make("button", { type: "button", ariaPressed: "false", onclick: () => choose(index) }, make("span", { dir: "auto" }, output.text || "(nothing)")),
    make("small", {}, output.score.toFixed(3).replace("-", "−")))));
  choose(0);
}

function choose(index) {
  const output = shown.outputs[index], { source } = shown;
  at("translation").textContent = output.text;
  at("outputs").querySelectorAll("button").forEach((button, other) => { button.ariaPressed = String(other === index); });
  if (!output.weights) return;
  const names = { read: source.tokens.map(token => reader.shown(reader.source, token, source)),
                  written: [...output.tokens, reader.target.end].map(token => reader.shown(reader.target, token, source)) };
  at("sources").replaceChildren(...names.read.map(name => make("span", {}, name)));
  at("targets").replaceChildren(...names.written.map((name, step) => {
    const span = make("span", { tabIndex: step ? -1 : 0 }, name);
    for (const event of ["mouseenter", "focus"]) span.addEventListener(event, () => look(names, output.weights, step));
    return span;
  }));
  at("map").replaceChildren(drawMap(names, output.weights));
  look(names, output.weights, null);
}

// Shows what was attended to when a token was written.
function look(names, weights, step) {
  const row = step === null ? [] : weights[step], most = Math.max(...row);
  [...at("sources").children].forEach((span, place) => span.style.setProperty("--weight", row.length ? row[place] / most : 0));
  at("map").querySelectorAll(".target").forEach((label, index) => label.classList.toggle("at", index === step));
  const told = largest(row, 4).filter(place => row[place] >= .005).map(place => `“${names.read[place]}” ${row[place].toFixed(2)}`);
  at("looked").textContent = step === null ? "\u00a0" : `“${names.written[step]}” attended to ${told.join(", ")}`;
}

function drawMap({ read, written }, weights) {
  const cut = name => name.length > LONGEST_LABEL ? name.slice(0, LONGEST_LABEL - 1) + "…" : name;
  const width = names => LETTER_WIDTH * Math.max(...names.map(name => cut(name).length)) + 10;
  const left = width(written), top = width(read) + 4, most = Math.max(...weights.flatMap(row => [...row]));
  const right = left + CELL * read.length, bottom = top + CELL * written.length;
  const svg = makeSvg("svg", { width: right + 8, height: bottom + 8, role: "img", "aria-label": `attention of ${written.length} written tokens to ${read.length} read ones` });
  read.forEach((name, column) => svg.append(makeSvg("text", { transform: `translate(${left + CELL * (column + .5) + 4} ${top - 5}) rotate(-90)` }, cut(name))));
  written.forEach((name, row) => {
    svg.append(makeSvg("text", { class: "target", "text-anchor": "end", x: left - 6, y: top + CELL * (row + .5) + 4 }, cut(name)));
    read.forEach((_, column) => svg.append(makeSvg("rect", { class: "look", x: left + CELL * column, y: top + CELL * row, width: CELL, height: CELL, "fill-opacity": (weights[row][column] / most).toFixed(3) })));
  });
  const lines = [...read, ""].map((_, column) => `M${left + CELL * column} ${top}V${bottom}`).concat([...written, ""].map((_, row) => `M${left} ${top + CELL * row}H${right}`));
  svg.append(makeSvg("path", { class: "rule", d: lines.join("") }));
  return svg;
}

function isBusy(busy) {
  const hasFocus = document.activeElement?.matches("#translate, #stop");
  at("translate").disabled = busy;
  at("stop").disabled = !busy;
  if (hasFocus) at(busy ? "stop" : "translate").focus();
}

async function answer() {
  const sentence = at("sentence").value, beamSize = wholeNumberIn("beam");
  if (!sentence.trim()) throw new RangeError("There is nothing to translate yet; type a sentence.");
  const begun = performance.now(), steps = search(sentence, beamSize);
  let found = null;
  isStopped = false;
  isBusy(true);
  tell("Translating …");
  try {
    await inSlices((function* () { found = yield* steps; })(), () => isStopped);
  } finally {
    isBusy(false);
  }
  if (isStopped) return tell("Stopped.");
  isStopped = true;
  show(found);
  const unknown = reader.source.unknownIn(found.source.text).map(part => `“${part}”`);
  tell(`Done in ${((performance.now() - begun) / 1000).toFixed(2)} s.` + (unknown.length ? ` The model does not know ${unknown.slice(0, 5).join(", ")}${unknown.length > 5 ? " and others" : ""}.` : ""));
}

const fail = error => tell(error.message, true);
at("form").addEventListener("submit", event => { event.preventDefault(); answer().catch(fail); });
at("sentence").addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.shiftKey) return;
  event.preventDefault();
  if (isStopped) answer().catch(fail);
});
at("stop").addEventListener("click", () => { isStopped = true; });
arrowKeys(at("targets"), "span");
tell(reader.placeholders.isWhole ? "Ready." : "Ready. What this model keeps as it is, it finds by a pattern that a browser cannot use: here that is translated too.");
askedAtOnce("sentence", () => at("form").requestSubmit());
