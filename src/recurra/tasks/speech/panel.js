// Speech in the page of `serve`: a file or the microphone, the spectrogram and the text with its times.
import { ask, dropZone, fragment, latest, make, python, pythonLines, Refused } from "/assets/kit.js";
import { show } from "/assets/speech/page.js";
import { record } from "/assets/speech/recorder.js";

export const summary = "Writes down what is said in a recording, and when.";
export const styles = ["/assets/speech/page.css"];
const PATH = "/v1/speech/transcribe", LONGEST = 60;

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
      const found = await ask(PATH, { model: model.id, explain: true, html: true }, { file, signal });
      answer.replaceChildren(fragment(found.explanation.html), times(found.explanation));
      answer.hidden = false;
      show(root, found.explanation);
      panel.say(found.text ? `Transcript: ${found.text}` : "Nothing was heard.");
      panel.asked({ path: PATH, fields: { model: model.id }, file: file.name, python: pythonLines(model.id, `model.transcribe(${python(file.name)}`) });
    } finally {
      answer.removeAttribute("aria-busy");
    }
  });
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

// The words with their times as a table.
function times(data) {
  const details = make("details"), table = make("table"), head = make("tr"), body = make("tbody");
  head.append(...["word", "from", "to", "sure"].map((name, i) => make("th", name, { className: i ? "" : "text", scope: "col" })));
  body.append(...data.words.map(([text, start, end, sure]) => {
    const row = make("tr");
    row.append(make("td", text, { className: "text", dir: "auto" }), ...[start, end].map(s => make("td", `${(data.begin + s).toFixed(2)} s`)), make("td", `${(100 * sure).toFixed(1)} %`));
    return row;
  }));
  table.append(make("thead"), body);
  table.tHead.append(head);
  details.append(make("summary", "Every word with its times"), table);
  return details;
}
