// Text in the page of `serve`: written as one looks on, coloured by surprisal; other tokens where one points.
import { bits, events, fragment, latest, make, percent, python, pythonLines, roving, valuesOf } from "/assets/kit.js";

export const summary = "Goes on with a text, token by token.";
export const styles = ["/assets/text/panel.css"];
const PATH = "/v1/completions", ALTERNATIVES = 8;
const DEAR = 8;  // bits from which on a token has the strongest colour
const EVERY = 50;  // milliseconds between two looks

const FORM = `
<form class="ask">
  <label>What the text begins with <textarea name="prompt" rows="3" spellcheck="false"></textarea></label>
  <div class="fields">
    <label>Temperature <input type="number" name="temperature" min="0" max="5" step="0.05" value="0.8"></label>
    <label>Top-p <input type="number" name="top_p" min="0" max="1" step="0.01" value="1"></label>
    <label>Length <input type="number" name="max_tokens" min="1" max="20000" step="1" value="400"></label>
    <label>Seed <input type="number" name="seed" min="0" max="${Number.MAX_SAFE_INTEGER}" step="1" placeholder="any"></label>
  </div>
  <div class="buttons"><button class="main">Write</button><button type="button" class="plain" name="halt" disabled>Stop</button></div>
</form>
<slot></slot>
<div class="written" role="group" aria-label="what was written" aria-describedby="legend"></div>
<p class="about faint" id="legend"><span>surprisal: 0<span class="scale"></span>${DEAR} bits and more, underlined the thicker</span>
  <span>Point at a token, or go there with Tab and the arrow keys, to see what else could have come.</span></p>
<section class="instead" aria-live="polite"></section>`;

export function open(panel) {
  const { root, model } = panel;
  root.append(fragment(FORM));
  const form = root.querySelector("form"), box = root.querySelector(".written"), instead = root.querySelector(".instead");
  const stop = form.elements.halt;
  let tokens = [], pinned = false, waiting = [], timer = 0;

  const work = latest(async signal => {
    const fields = { model: model.id, ...valuesOf(form), logprobs: ALTERNATIVES };
    const { temperature, top_p, seed } = fields;
    panel.refuse(null);
    const options = { length: fields.max_tokens, temperature: temperature || undefined, greedy: temperature === 0 || undefined, top_p: top_p < 1 ? top_p : undefined, seed };
    panel.asked({ path: PATH, fields, python: pythonLines(model.id, `model.write(${python(fields.prompt ?? "")}`, options) });
    begin(fields.prompt ?? "");
    const started = performance.now();
    try {
      for await (const event of events(PATH, fields, signal)) take(event.choices[0]);
      put();
      panel.say(summary(started, "Written"));
    } catch (error) {
      put();
      if (error.name === "AbortError") panel.say(summary(started, "Stopped"));
      else {
        panel.say("");
        throw error;
      }
    } finally {
      stop.disabled = true;
      box.removeAttribute("aria-busy");
    }
  });

  function begin(prompt) {
    [tokens, pinned, waiting] = [[], false, []];
    stop.disabled = false;
    box.setAttribute("aria-busy", "true");
    box.replaceChildren(make("span", prompt, { className: "prompt" }));
    instead.replaceChildren();
    panel.say("Writing …");
  }

  // Tokens are put into the page several at a time: laying it out anew for each would take longer than writing them.
  function take({ logprobs }) {
    logprobs?.tokens.forEach((token, i) => waiting.push([token, logprobs.token_logprobs[i], logprobs.top_logprobs[i] ?? {}]));
    timer ||= setTimeout(put, EVERY);
  }

  function put() {
    clearTimeout(timer);
    timer = 0;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
    box.append(...waiting.map(token => spanOf(...token)));
    waiting = [];
    if (atEnd) box.scrollTop = box.scrollHeight;
  }

  function spanOf(text, logProb, others) {
    const span = make("span", "", { className: "token", tabIndex: tokens.length ? -1 : 0 });
    const [first, ...lines] = text.split("\n");
    span.append(first, ...lines.flatMap(line => [make("i", "↵"), "\n", line]));
    span.style.setProperty("--share", Math.min(1, bits(logProb) / DEAR).toFixed(3));
    span.dataset.index = tokens.length;
    tokens.push({ text, logProb, others, span });
    return span;
  }

  function summary(started, what) {
    const mean = tokens.reduce((sum, token) => sum + bits(token.logProb), 0) / (tokens.length || 1);
    const seconds = (performance.now() - started) / 1000;
    return `${what}: ${tokens.length.toLocaleString("en")} tokens in ${seconds.toFixed(1)} s, ${mean.toFixed(2)} bits a token on average.`;
  }

  function look(index) {
    for (const token of tokens) token.span.classList.remove("at");
    const token = tokens[index];
    token.span.classList.add("at");
    const list = make("ol");
    for (const [text, logProb] of Object.entries(token.others)) {
      const button = make("button", "", { type: "button", title: "write on from here with this instead" });
      button.append(make("span", seen(text)), make("span", percent(Math.exp(logProb))));
      button.style.setProperty("--part", `${(100 * Math.exp(logProb)).toFixed(1)}%`);
      if (text === token.text) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => replace(index, text));
      list.append(make("li"));
      list.lastChild.append(button);
    }
    instead.replaceChildren(
      make("h2", `“${seen(token.text)}”: ${bits(token.logProb).toFixed(2)} bits, probability ${percent(Math.exp(token.logProb))}. What could have come; press one to write on with it:`), list);
  }

  // Write on from before a token with another in its place.
  function replace(index, text) {
    if (text.startsWith("bytes:") || text === "<end>") return;
    const before = tokens.slice(0, index).map(token => token.text).join("");
    form.elements.prompt.value += before + text;
    form.requestSubmit();
  }

  // What is pressed or reached with a key stays, so that the way from it to its list leads over others.
  for (const event of ["mouseover", "focusin", "click"])
    box.addEventListener(event, ({ target }) => {
      const token = target.closest(".token");
      if (event !== "mouseover") pinned = token !== null;
      if (token && (event !== "mouseover" || !pinned)) look(Number(token.dataset.index));
    });
  box.addEventListener("keydown", event => { if (event.key === "Escape") pinned = false; });
  roving(box, ".token");
  form.addEventListener("submit", event => {
    event.preventDefault();
    work.start().catch(panel.refuse);
  });
  stop.addEventListener("click", work.stop);
  return work.stop;
}

const seen = text => text.replace(/\n/g, "↵").replace(/\t/g, "→").replace(/ /g, "␣") || "…";
