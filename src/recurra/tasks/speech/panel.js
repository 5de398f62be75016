// Speech in the page of `serve`: a file or the microphone, the spectrogram and the text with its times.
import { ask, dropZone, fragment, latest, make, python, pythonLines, Refused } from "/assets/kit.js";
import { show } from "/assets/speech/page.js";
import { record } from "/assets/speech/recorder.js";

export const summary = "Hears a recording: what is said in it, and when.";
export const styles = ["/assets/speech/page.css"];
const PATH = "/v1/speech/transcribe", DETECT = "/v1/speech/detect";
const LONGEST = 30;  // seconds that are drawn

const FORM = `
<form class="ask">
  <div class="drop">
    <label for="file">A recording: drop it here, or choose a file</label>
    <input type="file" id="file" accept="audio/*">
    <div class="buttons"><span>or</span><button type="button" class="plain" name="microphone" aria-pressed="false">Record</button></div>
  </div>
</form>
<slot></slot>
<div class="answer" role="region" aria-label="transcript" hidden></div>`;

export function open(panel) {
  const { root, model } = panel;
  root.append(fragment(FORM));
  const form = root.querySelector("form"), answer = root.querySelector(".answer"), microphone = form.elements.microphone;
  let file = null, recording = null, timer = 0;

  const work = latest(async signal => {
    panel.refuse(null);
    panel.say("Listening …");
    answer.setAttribute("aria-busy", "true");
    try {
      await (model.detects ? detect(signal) : transcribe(signal));
      answer.hidden = false;
    } finally {
      answer.removeAttribute("aria-busy");
    }
  });

  async function transcribe(signal) {
    const found = await ask(PATH, { model: model.id, explain: true, html: true }, { file, signal });
    const rows = found.words.map(word => [word.text, ...[word.start, word.end].map(second => `${second.toFixed(2)} s`), `${(100 * word.confidence).toFixed(1)} %`]);
    answer.replaceChildren(fragment(found.explanation.html), folded("Every word with its times", table(["word", "from", "to", "sure"], rows)));
    show(root, found.explanation);
    const drawn = found.seconds > LONGEST ? ` (Drawn are the first ${LONGEST} of ${found.seconds.toFixed(0)} seconds.)` : "";
    panel.say((found.text ? `Transcript: ${found.text}` : "Nothing was heard.") + drawn);
    panel.asked({ path: PATH, fields: { model: model.id }, file: file.name, python: pythonLines(model.id, `model.transcribe(${python(file.name)}`) });
  }

  // A detector tells when its word ends.
  async function detect(signal) {
    const found = await ask(DETECT, { model: model.id }, { file, signal });
    const rows = found.detections.map(({ word, seconds, probability }) => [word, `${seconds.toFixed(2)} s`, `${(100 * probability).toFixed(1)} %`]);
    answer.replaceChildren(table(["word", "ends at", "sure"], rows));
    panel.say(`“${model.detects}” was heard ${rows.length === 1 ? "once" : `${rows.length} times`}.`);
    panel.asked({ path: DETECT, fields: { model: model.id }, file: file.name, python: pythonLines(model.id, `model.detect(${python(file.name)}`) });
  }
  const failed = error => { panel.say(""); panel.refuse(error); };
  const hear = chosen => { file = chosen; work.start().catch(failed); };

  async function begin() {
    try {
      recording = await record();
    } catch (error) {
      throw new Refused(`there is no microphone to record with (${error.message}); choose a file instead`);
    }
    microphone.setAttribute("aria-pressed", "true");
    microphone.textContent = "Stop and transcribe";
    const started = performance.now();
    timer = setInterval(() => {
      const seconds = (performance.now() - started) / 1000;
      panel.say(`Recording: ${seconds.toFixed(0)} s of at most ${LONGEST}`);
      if (seconds >= LONGEST) end();
    }, 500);
  }

  function end() {
    clearInterval(timer);
    const made = recording;
    recording = null;
    microphone.setAttribute("aria-pressed", "false");
    microphone.textContent = "Record";
    return made.stop();
  }

  microphone.addEventListener("click", () => {
    panel.refuse(null);
    recording ? hear(end()) : begin().catch(failed);
  });
  form.addEventListener("submit", event => event.preventDefault());
  dropZone(root.querySelector(".drop"), root.querySelector("#file"), hear);
  return () => {
    work.stop();
    if (recording) end();
  };
}

// A table of text; its first column is words.
function table(names, rows) {
  const made = make("table"), head = make("tr"), body = make("tbody");
  head.append(...names.map((name, i) => make("th", name, { className: i ? "" : "text", scope: "col" })));
  body.append(...rows.map(([word, ...others]) => {
    const row = make("tr");
    row.append(make("td", word, { className: "text", dir: "auto" }), ...others.map(text => make("td", text)));
    return row;
  }));
  made.append(make("thead"), body);
  made.tHead.append(head);
  return made;
}

function folded(title, content) {
  const details = make("details");
  details.append(make("summary", title), content);
  return details;
}
