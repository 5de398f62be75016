// Writing: as `tasks/text/writing.py` does it.

const tokenizer = tokenizerOf(data.vocabulary), network = new LanguageModel(data.network);
const ALTERNATIVES = 5, MOST_BITS = 8;
let isStopped = true, written = [];

// The tokens after a prompt, one by one: what each adds to the text, how surprising it was and what else was probable.
function* write(prompt, options) {
  const start = readPrompt(tokenizer, prompt), decode = decoder(start.held), generator = new Generator(options.seed);
  let { logits, state } = network.read(start.tokens), suppressed = start.suppressed;
  for (let count = 0; count < options.length; count++) {
    const allowed = logits.slice();
    for (const token of suppressed) allowed[token] = -Infinity;
    const token = draw(allowed, options, generator.random());
    if (token === tokenizer.boundary) return;
    const logProbs = logSoftmax(logits);
    const others = largest(allowed, ALTERNATIVES).map(other => ({ token: other, share: Math.exp(logProbs[other]) }));
    yield { token, text: decode(tokenizer.piece(token)), bits: -logProbs[token] / Math.LN2, others };
    suppressed = tokenizer.unknown === null ? [] : [tokenizer.unknown];
    ({ logits, state } = network.step(token, state));
  }
}

// The whole text, for programs and tests.
const writeText = (prompt, options) => prompt + [...write(prompt, { temperature: 0, topK: 0, topP: 1, seed: 0, ...options })].map(item => item.text).join("");

const nameOf = token => token === tokenizer.boundary ? "end of the text" : shownToken(tokenizer, token);

function show(item) {
  const span = make("span", { tabIndex: -1, className: "token" }, item.text);
  span.style.backgroundColor = `rgb(var(--hot) / ${Math.min(1, item.bits / MOST_BITS).toFixed(2)})`;
  span.dataset.index = written.push(item) - 1;
  return span;
}

// What else was probable where a token was written.
function explain(index) {
  const item = written[index], rows = item.others.map(({ token, share }) => {
    const bar = make("span", { className: "bar", ariaHidden: "true" });
    bar.style.width = `${(8 * share).toFixed(2)}rem`;
    return make("tr", {}, make("td", { className: "mono" }, make(token === item.token ? "b" : "span", {}, nameOf(token))), make("td", {}, percent(share)), make("td", {}, bar));
  });
  const told = make("p", {}, make("b", { className: "mono" }, nameOf(item.token)), ` ${percent(2 ** -item.bits)}, ${item.bits.toFixed(1)} bits. Most probable here:`);
  at("detail").replaceChildren(told, make("table", {}, make("tbody", {}, ...rows)));
}

function options() {
  return { temperature: numberIn("temperature"), topK: 0, topP: numberIn("top-p"), length: wholeNumberIn("length"), seed: seedIn("seed") };
}

// While it writes there is nothing to do but to stop it; the focus goes where something can be done.
function isBusy(busy) {
  const hasFocus = document.activeElement?.matches("#write, #stop");
  at("write").disabled = at("copy").disabled = busy;
  at("stop").disabled = !busy;
  if (hasFocus) at(busy ? "stop" : "write").focus();
}

async function answer() {
  const chosen = options(), prompt = withNewlines(at("prompt").value), missing = readPrompt(tokenizer, prompt).missing;
  const unknown = missing.length ? ` It has no token for ${missing.slice(0, 5).map(part => `“${part}”`).join(", ")}${missing.length > 5 ? " and others" : ""}.` : "";
  let queue = [];
  written = [];
  isStopped = false;
  isBusy(true);
  at("detail").replaceChildren();
  at("text").replaceChildren(make("span", { className: "faint" }, prompt));
  at("text").ariaBusy = "true";
  tell("Writing …");
  const begun = performance.now(), items = write(prompt, chosen);
  const steps = (function* () { for (const item of items) yield queue.push(show(item)); })();
  await inSlices(steps, () => isStopped, () => at("text").append(...queue.splice(0)));
  const seconds = (performance.now() - begun) / 1000, count = written.length;
  at("text").ariaBusy = "false";
  if (at("text").querySelector(".token")) at("text").querySelector(".token").tabIndex = 0;
  isBusy(false);
  const end = isStopped ? "Stopped" : count < chosen.length ? "The text ended" : "Done";
  isStopped = true;
  tell(`${end}: ${round(count)} tokens, ${round(count / seconds)} a second, seed ${chosen.seed}.${unknown}`);
}

at("most").textContent = `${MOST_BITS} bits and more`;
at("form").addEventListener("submit", event => {
  event.preventDefault();
  answer().catch(error => tell(error.message, true));
});
at("stop").addEventListener("click", () => { isStopped = true; });
at("copy").addEventListener("click", () => {
  const text = at("text").textContent;
  (navigator.clipboard?.writeText(text) ?? Promise.reject()).then(() => tell("Copied."), () => getSelection().selectAllChildren(at("text")));
});
for (const event of ["mouseover", "focusin"])
  at("text").addEventListener(event, ({ target }) => target.dataset?.index !== undefined && explain(Number(target.dataset.index)));
arrowKeys(at("text"), ".token");
tell("Ready.");
askedAtOnce("prompt", () => at("form").requestSubmit());
