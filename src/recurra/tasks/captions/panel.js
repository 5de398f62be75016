// Captions in the page of `serve`: a picture is dropped, and one sees what is said of it and where the model looked.
import { ask, dropZone, fragment, latest, python, pythonLines } from "/assets/kit.js";
import { show } from "/assets/captions/page.js";

export const summary = "Says what is in a picture, and where it looked at each word.";
export const styles = ["/assets/captions/page.css"];
const PATH = "/v1/captions/describe";

const FORM = `
<form class="ask">
  <div class="drop">
    <label for="file">A picture: drop it here, paste it, or choose a file</label>
    <input type="file" id="file" accept="image/*">
  </div>
  <div class="fields">
    <label for="beam">Beam size <output for="beam">5</output><input type="range" id="beam" min="1" max="20" step="1" value="5"></label>
  </div>
</form>
<slot></slot>
<div class="answer" role="region" aria-label="caption" hidden></div>`;

export function open(panel) {
  const { root, model } = panel;
  root.append(fragment(FORM));
  const form = root.querySelector("form"), answer = root.querySelector(".answer"), beam = root.querySelector("#beam");
  let file = null;

  const work = latest(async signal => {
    if (!file) return;
    panel.refuse(null);
    panel.say("Looking …");
    answer.setAttribute("aria-busy", "true");
    try {
      const found = await ask(PATH, { model: model.id, beam_size: beam.value, html: true }, { file, signal });
      answer.replaceChildren(fragment(found.html));
      answer.append(answer.querySelector("header"));  // the result first, then what it means
      answer.hidden = false;
      show(root);
      panel.say(`Caption: ${found.text}`);
      panel.asked({ path: PATH, fields: { model: model.id, beam_size: beam.value }, file: file.name,
        python: pythonLines(model.id, `model.describe(${python(file.name)}`, { beam_size: Number(beam.value) }) });
    } finally {
      answer.removeAttribute("aria-busy");
    }
  });
  const start = () => work.start().catch(error => { panel.say(""); panel.refuse(error); });

  form.addEventListener("submit", event => event.preventDefault());
  dropZone(root.querySelector(".drop"), root.querySelector("#file"), chosen => { file = chosen; start(); });
  beam.addEventListener("input", () => { form.querySelector("output").textContent = beam.value; });
  beam.addEventListener("change", start);
  return work.stop;
}
