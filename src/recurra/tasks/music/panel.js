// Music in the page of `serve`: a piece is composed, seen as a piano roll and a score, heard, taken along.
import { ask, fragment, latest, make, named, python, valuesOf } from "/assets/kit.js";
import { drawRoll } from "/assets/music/roll.js";
import { player } from "/assets/music/player.js";

export const summary = "Composes music in the manner of what it was trained on.";
export const styles = ["/assets/music/roll.css", "/assets/music/panel.css"];
const PATH = "/v1/music/compose";
const VOICES = ["#2a6f97", "#c8553d", "#6a994e", "#d9a441", "#8d6a9f", "#3aa6a0", "#b5507a", "#5c6770"];  // as in render/roll.py
const NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"], BLACK = [1, 3, 6, 8, 10];
const ROW = 4 * 48, SECONDS = 8;  // ticks in a row, four bars of common time; seconds of a performance in one

const FORM = `
<form class="ask">
  <div class="fields">
    <label>Bars <input type="number" name="bars" min="1" max="256" step="1" value="8"></label>
    <label>Seconds <input type="number" name="seconds" min="1" max="600" step="1" value="20"></label>
    <label>Key <input name="key" placeholder="any" list="keys" autocomplete="off" size="10"></label>
    <label class="long">Chords <input name="chords" placeholder="C | Am | F G7 | C" autocomplete="off" spellcheck="false"></label>
    <label>Metre <input name="meter" placeholder="usual" size="6" autocomplete="off"></label>
    <label>Voices <input type="number" name="voices" min="1" max="128" step="1" placeholder="any"></label>
    <label>Tempo <input type="number" name="tempo" min="10" max="1000" step="1" placeholder="usual"></label>
    <label>Temperature <input type="number" name="temperature" min="0.05" max="5" step="0.05" value="0.8"></label>
    <label>Seed <input type="number" name="seed" min="0" max="${Number.MAX_SAFE_INTEGER}" step="1" placeholder="any"></label>
  </div>
  <datalist id="keys"><option>C major<option>G major<option>D major<option>F major<option>B- major<option>A minor<option>E minor<option>D minor<option>G minor<option>C blues</datalist>
  <div class="buttons"><button class="main">Compose</button><button type="button" class="plain" name="halt" disabled>Stop</button></div>
</form>
<slot></slot>
<div class="answer" role="region" aria-label="piece" hidden>
  <p id="copy"></p>
  <div class="player">
    <button type="button" class="main" id="play">Play</button>
    <input type="range" id="position" min="0" step="0.1" value="0" aria-label="position, seconds"><output id="time" for="position">0:00</output>
    <a class="plain" id="midi">MIDI file</a><a class="plain" id="musicxml">MusicXML file</a>
  </div>
  <div class="legend" id="voices"></div>
  <div id="roll" role="group" aria-label="piano roll" tabindex="0"></div>
  <p class="tell faint" id="tell">Point at a note for its name.</p>
  <section aria-labelledby="score-head" id="engraved"><h2 id="score-head">Score</h2><div class="score" id="score" tabindex="0" role="group" aria-label="score"></div></section>
</div>`;

export function open(panel) {
  const { root, model } = panel;
  root.append(fragment(FORM));
  const at = id => root.getElementById(id), form = root.querySelector("form"), answer = root.querySelector(".answer"), halt = form.elements.halt;
  let heard = null, files = [];
  // Performances have a length in seconds; bars and what goes with them are for all other music.
  for (const name of ["bars", "seconds", "key", "chords", "meter", "voices", "tempo"]) {
    const field = form.elements[name];
    field.disabled = field.parentNode.hidden = (name === "seconds") !== model.performances;
  }

  const work = latest(async signal => {
    const fields = { model: model.id, ...valuesOf(form) };
    panel.refuse(null);
    panel.say("Composing …");
    heard?.stop();
    halt.disabled = false;
    answer.setAttribute("aria-busy", "true");
    const started = performance.now();
    try {
      const found = await ask(PATH, { ...fields, score: !model.performances }, { signal });
      answer.hidden = false;
      show(found);
      fields.seed = found.seed;
      panel.say(`Composed in ${((performance.now() - started) / 1000).toFixed(1)} s: ${found.notes} notes in ${model.performances ? `${found.seconds.toFixed(0)} seconds` : `${found.bars} bars`}, seed ${found.seed}.`);
      const { model: _, ...options } = fields;
      panel.asked({ path: PATH, fields, python: pythonOf(model.id, options) });
    } catch (error) {
      panel.say(error.name === "AbortError" ? "Stopped." : "");
      throw error;
    } finally {
      halt.disabled = true;
      answer.removeAttribute("aria-busy");
    }
  });

  function show(found) {
    const { roll, copy } = found;
    at("copy").textContent = copied(found, model.performances);
    at("voices").replaceChildren(...roll.tracks.map((track, i) => {
      const entry = make("span"), swatch = make("i");
      swatch.style.setProperty("--voice", VOICES[i % VOICES.length]);
      entry.append(swatch, track.name || `track ${i + 1}`);
      return entry;
    }));
    const view = viewOf(roll, model.performances);
    at("roll").replaceChildren();
    const { noteShapes } = drawRoll(at("roll"), view);
    noteShapes.forEach((shapes, i) => shapes.forEach(shape => {
      shape.style.setProperty("--voice", VOICES[roll.notes[i][4] % VOICES.length]);
      shape.classList.toggle("copied", Boolean(copy) && view.groups[i].onset >= copy.begin && view.groups[i].onset < copy.end);
    }));
    names = view.groups.map(group => group.name);
    offer(found);
    hear(roll, noteShapes);
  }

  let names = [];
  at("roll").addEventListener("mousemove", ({ target }) => {
    if (target.dataset.note !== undefined) at("tell").textContent = names[target.dataset.note];
  });

  // The files to take along, and the pages of the score.
  function offer({ name, midi, musicxml, svg }) {
    files.forEach(URL.revokeObjectURL);
    const url = (content, type) => {
      files.push(URL.createObjectURL(new Blob([content], { type })));
      return files.at(-1);
    };
    files = [];
    const called = name.replace(/[^\p{L}\p{N}]+/gu, "-");
    Object.assign(at("midi"), { href: url(Uint8Array.from(atob(midi), c => c.charCodeAt(0)), "audio/midi"), download: `${called}.mid` });
    at("musicxml").hidden = !musicxml;
    if (musicxml) Object.assign(at("musicxml"), { href: url(musicxml, "application/vnd.recordare.musicxml+xml"), download: `${called}.musicxml` });
    at("engraved").hidden = !svg;
    at("score").replaceChildren(...(svg ?? []).map((page, i) => make("img", "", { src: url(page, "image/svg+xml"), alt: `score, page ${i + 1} of ${svg.length}` })));
  }

  function hear(roll, shapes) {
    heard = player(roll, (seconds, sounding) => {
      at("position").value = seconds;
      at("time").textContent = clock(seconds);
      shapes.forEach((parts, i) => parts.forEach(part => part.classList.toggle("sounding", sounding.has(i))));
      at("play").textContent = heard.playing ? "Pause" : "Play";
    });
    at("position").max = heard.seconds;
    at("position").value = 0;
    at("time").textContent = clock(0);
    at("play").textContent = "Play";
  }

  at("play").addEventListener("click", () => heard.playing ? heard.stop() : heard.play(Number(at("position").value)));
  at("position").addEventListener("input", () => heard.seek(Number(at("position").value)));
  form.addEventListener("submit", event => {
    event.preventDefault();
    work.start().catch(panel.refuse);
  });
  halt.addEventListener("click", work.stop);
  return () => {
    work.stop();
    heard?.stop();
    files.forEach(URL.revokeObjectURL);
  };
}

// The lines that make the same piece from Python, and the file of it.
function pythonOf(model, options) {
  return `import recurra\nfrom recurra import music\n\nmodel = recurra.load(${python(model)})\npiece = model.compose(${named(options).join(", ")})\nmusic.write_piece(piece, "piece.mid")`;
}

const clock = seconds => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function copied({ copy, compared }, played) {
  if (played) return "Copies are not looked for in performances: no two have the same times.";
  if (!compared) return "The model came without the pieces it was trained on: what is copied from them cannot be told.";
  if (!copy) return "Nothing in it sounds like a training piece.";
  const higher = copy.transposition, moved = higher ? `, ${Math.abs(higher)} semitone${Math.abs(higher) === 1 ? "" : "s"} ${higher > 0 ? "higher" : "lower"}` : "";
  return `Longest passage that a training piece has too: ${copy.notes} notes (${(100 * copy.share).toFixed(0)} %) from bar ${copy.bar} on, out of “${copy.corpus_name}”${moved}; its notes have a dashed line around them.`;
}

// A piece as drawRoll wants it: lanes, rows of bars, notes.
function viewOf({ bars, tracks, meters, notes }, played) {
  const drum = note => tracks[note[4]].drums;
  const pitches = notes.filter(note => !drum(note)).map(note => note[2]), kit = [...new Set(notes.filter(drum).map(note => note[2]))].sort((a, b) => a - b);
  const low = Math.min(60, ...pitches) - 1, high = Math.max(60, ...pitches) + 1;
  const lanes = [...kit.map((_, i) => ({ label: i ? "" : "drums", shaded: false })),
    ...Array.from({ length: high - low + 1 }, (_, i) => ({ label: (low + i) % 12 ? "" : name(low + i), shaded: BLACK.includes((low + i) % 12) }))];
  const lane = note => drum(note) ? kit.indexOf(note[2]) : kit.length + note[2] - low;
  const pickup = bars.length > 2 && bars[1] - bars[0] < bars[2] - bars[1];
  const all = bars.slice(0, -1).map((begin, i) => {
    const meter = meters.findLast(each => each.onset <= begin) ?? meters[0];
    const compound = meter.denominator >= 8 && meter.numerator % 3 === 0 && meter.numerator > 3;
    return { begin, end: bars[i + 1], beat: 48 * (compound ? 3 : 1) / meter.denominator, number: i + (pickup || played ? 0 : 1), title: "" };
  });
  const rows = [], most = played ? SECONDS * (bars[1] - bars[0]) : ROW;
  for (const bar of all) {
    const row = rows.at(-1);
    if (row && bar.end - row.begin <= most + (row.bars[0].number || played ? 0 : row.bars[0].end - row.bars[0].begin)) {
      row.bars.push(bar);
      row.end = bar.end;
    } else rows.push({ begin: bar.begin, end: bar.end, bars: [bar], lowest: 0, highest: lanes.length - 1 });
  }
  const groups = notes.map(note => {
    const bar = all.findLast(each => each.begin <= note[0]) ?? all[0];
    const where = played ? `after ${note[5].toFixed(2)} seconds` : `bar ${bar.number}, beat ${+(1 + (note[0] - bar.begin) / bar.beat).toFixed(2)}`;
    return { onset: note[0], duration: note[1], lane: lane(note), name: `${drum(note) ? `drum ${note[2]}` : name(note[2])} ${tracks[note[4]].name}, ${where}` };
  });
  return { lanes, rows, groups, spans: [] };
}

const name = pitch => NAMES[pitch % 12] + (Math.floor(pitch / 12) - 1);
