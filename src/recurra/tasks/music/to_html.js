// Composing, playing and saving: as `tasks/music/composer.py` composes.

const isPlayed = data.vocabulary.kind === "performance", network = new LanguageModel(data.network);
const notation = isPlayed ? data.vocabulary : new Notation(data.vocabulary, data), rules = isPlayed ? new PerformanceRules() : new MusicRules(notation);
let isStopped = true, piece = null, player = null;

// What a piece must keep to. Tonic: a pitch class, or null for any key; scale: a name in `data.harmony.scales`.
function planOf({ bars = 16, meter = 0, tonic = null, scale = "major", chords = "", voices = null, seconds = 30 }, seed) {
  if (isPlayed) return new Performance(notation, seconds);
  const wanted = tonic === null ? new Set(range(12)) : pitchClasses(tonic, data.harmony.scales[scale]);
  return new Plan(notation, { bars, meter, scale: wanted, chords: parseProgression(chords), voices }, new Generator(seed, [0, 0]).random());
}

function* composing(controls, options) {
  return yield* compose(network, rules, planOf(controls, options.seed), options, new Generator(options.seed));
}

// The whole piece at once, for programs and tests.
function composeAll(controls, options) {
  const steps = composing(controls, { temperature: .8, topK: 0, topP: 1, seed: 0, ...options });
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

function controlsOf() {
  if (isPlayed) return { seconds: numberIn("seconds") };
  const tonic = at("tonic").value;
  return { bars: wholeNumberIn("bars"), meter: Number(at("meter").value), tonic: tonic === "" ? null : Number(tonic), scale: at("scale").value,
           chords: at("chords").value, voices: at("voices").value.trim() === "" ? null : wholeNumberIn("voices") };
}

function isBusy(busy) {
  const hasFocus = document.activeElement?.matches("#compose, #stop");
  at("compose").disabled = busy;
  at("stop").disabled = !busy;
  at("play").disabled = at("save").disabled = busy || !piece;
  at("progress").hidden = !busy;
  if (hasFocus) at(busy ? "stop" : "compose").focus();
}

async function answer() {
  const controls = controlsOf(), options = { temperature: numberIn("temperature"), topK: 0, topP: numberIn("top-p"), seed: seedIn("seed") };
  const tempo = isPlayed ? PLAYED_TEMPO : numberIn("tempo"), items = composing(controls, options);
  let share = 0, made = null;
  player?.stop();
  isStopped = false;
  isBusy(true);
  tell("Composing …");
  const steps = (function* () {
    let item = items.next();
    for (; !item.done; item = items.next()) yield share = item.value;
    made = { ...item.value, tempo };
  })();
  try {
    await inSlices(steps, () => isStopped, () => { at("progress").value = share; });
  } finally {
    isStopped = true;
    piece = made ?? piece;
    isBusy(false);
  }
  if (!made) return tell("Stopped.");
  show(piece);
  const seconds = piece.length / TICKS * 60 / piece.tempo;
  tell(`Done: ${round(piece.notes.length)} notes${isPlayed ? "" : ` in ${piece.lines.length - 1} bars`}, ${round(seconds)} s of music, seed ${options.seed}.`);
}

function show({ tracks }) {
  at("roll").hidden = false;
  at("roll").replaceChildren(drawRoll(piece, data.drum_names));
  at("roll").scrollLeft = 0;
  at("tracks").replaceChildren(...tracks.map(({ name, drums }, index) =>
    make("li", {}, make("i", { className: `track-${index % COLOURS}` }), name || (drums ? "Drums" : tracks.length > 1 ? `Track ${index + 1}` : "All"))));
}

function play() {
  if (player) return player.stop();
  player = new Player(piece, piece.tempo, () => {
    player = null;
    at("play").textContent = "Play";
    at("playhead")?.setAttribute("visibility", "hidden");
  });
  at("play").textContent = "Stop playing";
  const follow = () => {
    if (!player) return;
    const x = MARGIN + Math.min(player.tick, piece.length) * widthOf(piece), box = at("roll");
    at("playhead").setAttribute("visibility", "visible");
    at("playhead").setAttribute("transform", `translate(${x} 0)`);
    if (x < box.scrollLeft + MARGIN || x > box.scrollLeft + .8 * box.clientWidth) box.scrollLeft = x - .2 * box.clientWidth;
    requestAnimationFrame(follow);
  };
  follow();
}

const choices = (id, values) => at(id).append(...values.map(([value, name]) => make("option", { value }, name)));
if (!isPlayed) {
  choices("meter", notation.meters.map(({ numerator, denominator }, index) => [index, `${numerator}/${denominator}`]));
  choices("tonic", [["", "any"], ...["C", "C♯/D♭", "D", "E♭", "E", "F", "F♯/G♭", "G", "A♭", "A", "B♭", "B"].map((name, index) => [index, name])]);
  choices("scale", Object.keys(data.harmony.scales).filter(name => name !== "chromatic").map(name => [name, name]));
  at("tempo").value = Math.round(notation.tempo);
}
for (const part of document.querySelectorAll(".written")) part.hidden = isPlayed;
at("played").hidden = !isPlayed;
at("form").addEventListener("submit", event => { event.preventDefault(); answer().catch(error => tell(error.message, true)); });
at("stop").addEventListener("click", () => { isStopped = true; });
at("play").addEventListener("click", play);
at("save").addEventListener("click", () => download(`${data.name}.mid`, midiBytes(piece, piece.tempo), "audio/midi"));
tell("Ready.");
