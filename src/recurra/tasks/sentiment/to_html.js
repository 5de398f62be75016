// Reading a text: its label, what each word does to it, and the mood after each word; as `saliency.py` has them.

const classifier = new Classifier(data.vocabulary, data.network);
const MOST_WORDS = 200, LEAST_SCALE = 1;
const signed = value => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

// Takes each word away in turn and reads every beginning; a step for each time the network runs.
function* explain(text) {
  const words = classifier.split(text), whole = classifier.logits(words);
  const target = whole.length === 2 ? 1 : largest(whole, 1)[0];
  const found = { words, target, probabilities: logSoftmax(whole).map(Math.exp), effects: [], after: [] };
  if (words.length > MOST_WORDS) return found;
  for (let place = 0; place < words.length; place++) {
    found.effects.push(logOdds(whole, target) - logOdds(classifier.logits(words.with(place, UNKNOWN)), target));
    found.after.push(classifier.probabilities(words.slice(0, place + 1))[target]);
    yield null;
  }
  return found;
}

// The whole explanation at once, for programs and tests.
function explainAll(text) {
  const steps = explain(text);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

function show({ words, target, probabilities, effects, after }) {
  const { labels } = classifier, [best] = largest(probabilities, 1), opposite = labels.length === 2 ? labels[0] : "others";
  at("found").hidden = false;
  at("answer").replaceChildren(labels[best], make("small", {}, `  ${percent(probabilities[best])}`));
  at("target").textContent = labels[target];
  at("opposite").textContent = opposite;
  const order = labels.length === 2 ? [0, 1] : largest(probabilities, labels.length);
  at("classes").replaceChildren(...order.map(label => {
    const bar = make("span", { className: `bar ${label === target ? "for" : "against"}`, ariaHidden: "true" });
    bar.style.width = `${(10 * probabilities[label]).toFixed(2)}rem`;
    return make("tr", {}, make("th", { scope: "row" }, labels[label]), make("td", {}, bar), make("td", {}, percent(probabilities[label])));
  }));
  const scale = Math.max(LEAST_SCALE, ...effects.map(Math.abs));
  at("words").replaceChildren(...words.flatMap((word, place) => {
    const known = classifier.knows(word), effect = effects[place] ?? 0;
    const span = make("span", { tabIndex: place ? -1 : 0, className: `word ${effect < 0 ? "against" : "for"}${known ? "" : " unknown"}` }, word);
    span.style.setProperty("--share", (Math.abs(effect) / scale).toFixed(3));
    const told = `“${word}”${known ? "" : " (never seen)"}: ${signed(effect)} log-odds of ${labels[target]}, whose probability after it is ${percent(after[place] ?? 0)}.`;
    if (effects.length) for (const event of ["mouseenter", "focus"]) span.addEventListener(event, () => { at("effect").textContent = told; });
    return [span, " "];
  }));
  at("effect").textContent = "";
  at("curve").replaceChildren(...(after.length ? [drawCurve(words, after, labels[target])] : []));
}

function drawCurve(words, after, label) {
  const left = 44, top = 12, height = 150, widths = words.map(word => 8 * Math.min(word.length, 20) + 14);
  const width = left + widths.reduce((sum, each) => sum + each, 0) + 10, y = share => top + height * (1 - share);
  const svg = makeSvg("svg", { width, height: top + height + 30, role: "img", "aria-label": `probability of ${label} after each word` });
  for (const share of [0, .5, 1]) {
    svg.append(makeSvg("line", { class: "rule", x1: left, x2: width, y1: y(share), y2: y(share) }));
    svg.append(makeSvg("text", { class: "tick", x: left - 6, y: y(share) + 4 }, `${100 * share} %`));
  }
  let end = left;
  const points = after.map((share, place) => [(end += widths[place]) - widths[place] / 2, y(share)]);
  svg.append(makeSvg("polyline", { class: "line", points: points.join(" ") }));
  points.forEach(([px, py], place) => {
    svg.append(makeSvg("circle", { class: after[place] < .5 ? "against" : "for", cx: px, cy: py, r: 4 }));
    svg.append(makeSvg("text", { x: px, y: top + height + 22 }, words[place].length > 20 ? words[place].slice(0, 19) + "…" : words[place]));
  });
  return svg;
}

async function answer() {
  const text = at("sentence").value, count = classifier.split(text).length;
  if (!count) throw new RangeError("There is nothing to read yet; type a sentence.");
  let found = null;
  at("read").disabled = true;
  tell("Reading …");
  try {
    await inSlices((function* () { found = yield* explain(text); })(), () => false);
  } finally {
    at("read").disabled = false;
  }
  show(found);
  tell(found.effects.length ? "Done." : `Done. Of more than ${MOST_WORDS} words only the label is told.`);
}

const fail = error => tell(error.message, true);
at("form").addEventListener("submit", event => { event.preventDefault(); answer().catch(fail); });
at("sentence").addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.shiftKey) return;
  event.preventDefault();
  if (!at("read").disabled) answer().catch(fail);
});
arrowKeys(at("words"), ".word");
tell("Ready.");
askedAtOnce("sentence", () => at("form").requestSubmit());
