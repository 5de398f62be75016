// Translation in the page of `serve`: as one types, with all that `explain` shows of it.
import { ask, fragment, latest, pythonLines, python, valuesOf } from "/assets/kit.js";
import { show } from "/assets/translation/page.js";

export const summary = "Translates a sentence, and shows how.";
export const styles = ["/assets/translation/page.css"];
const PATH = "/v1/translation/explain", WAIT = 300;

const FORM = `
<form class="ask">
  <label>What to translate <textarea name="text" rows="2" autocapitalize="none" spellcheck="false"></textarea></label>
  <div class="fields">
    <label for="beam">Beam size <output for="beam">5</output><input type="range" id="beam" name="beam_size" min="1" max="20" step="1" value="5"></label>
    <label class="check"><input type="checkbox" id="live" checked>as I type</label>
  </div>
  <div class="buttons"><button class="main">Translate</button></div>
</form>
<slot></slot>
<div class="answer" role="region" aria-label="translation" hidden></div>`;

export function open(panel) {
  const { root, model } = panel;
  root.append(fragment(FORM));
  const form = root.querySelector("form"), answer = root.querySelector(".answer"), live = root.querySelector("#live");

  const work = latest(async signal => {
    const fields = valuesOf(form);
    form.querySelector("output").textContent = fields.beam_size;
    panel.refuse(null);
    if (!fields.text?.trim()) return clear();
    answer.setAttribute("aria-busy", "true");
    const found = await ask(PATH, { model: model.id, ...fields, html: true }, { signal });
    answer.replaceChildren(fragment(found.html));
    answer.hidden = false;
    answer.removeAttribute("aria-busy");
    show(root, found);
    panel.say(`Translation: ${found.text}`);
    panel.asked({ path: PATH, fields: { model: model.id, ...fields },
      python: pythonLines(model.id, `model.translate(${python(fields.text)}`, { beam_size: fields.beam_size }) });
  });
  const start = () => work.start().catch(panel.refuse);

  function clear() {
    answer.hidden = true;
    answer.replaceChildren();
    panel.say("");
  }

  form.addEventListener("submit", event => { event.preventDefault(); start(); });
  form.addEventListener("input", () => { form.querySelector("output").textContent = form.elements.beam_size.value; if (live.checked) work.later(WAIT, panel.refuse); });
  return work.stop;
}
