// Sentiment in the page of `serve`: words marked and the mood's curve, as one types.
import { ask, fragment, latest, percent, python, pythonLines, valuesOf } from "/assets/kit.js";
import { show } from "/assets/sentiment/page.js";

export const summary = "Says what mood a text is in, or what other label it has, and which of its words say so.";
export const styles = ["/assets/sentiment/page.css"];
const PATH = "/v1/sentiment/classify", WAIT = 250, QUICK = 60;  // words of a text that is explained while one types

const FORM = `
<form class="ask">
  <label>Text <textarea name="text" rows="3"></textarea></label>
  <div class="buttons"><button class="main">Classify</button>
    <label class="check"><input type="checkbox" id="live" checked>as I type</label></div>
</form>
<slot></slot>
<div class="answer" role="region" aria-label="label" hidden></div>`;

export function open(panel) {
  const { root, model } = panel;
  root.append(fragment(FORM));
  const form = root.querySelector("form"), answer = root.querySelector(".answer"), live = root.querySelector("#live");

  const work = latest(async signal => {
    const { text } = valuesOf(form);
    panel.refuse(null);
    answer.hidden = !text?.trim();
    if (answer.hidden) return panel.say("");
    const found = (await ask(PATH, { model: model.id, text, explain: true, html: true }, { signal })).texts[0];
    answer.replaceChildren(fragment(found.html));
    answer.append(answer.querySelector("header"));  // the result first, then what it means
    show(root, [found.page]);
    panel.say(`${found.label}, ${percent(found.probability)}`);
    panel.asked({ path: PATH, fields: { model: model.id, text }, python: pythonLines(model.id, `model.classify(${python(text)}`) });
  });

  form.addEventListener("submit", event => {
    event.preventDefault();
    work.start().catch(panel.refuse);
  });
  form.addEventListener("input", () => {
    if (live.checked && form.elements.text.value.split(/\s+/).length <= QUICK) work.later(WAIT, panel.refuse);
  });
  return work.stop;
}
