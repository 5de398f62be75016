// A piece as a MIDI file, as sound and as a picture.

const MIDI_TICKS = 40; // of MIDI for each of ours: 480 a quarter

// A MIDI file of type 1: tempo and metres, then a track for each that plays.
function midiBytes(piece, tempo) {
  const number = (value, size) => range(size).map(byte => (value >>> (8 * (size - 1 - byte))) & 255);
  const length = value => {
    const bytes = [value & 127];
    for (let rest = value >>> 7; rest; rest >>>= 7) bytes.unshift(128 | (rest & 127));
    return bytes;
  };
  const named = (kind, text) => { const bytes = utf8.encode(text); return [0xff, kind, ...length(bytes.length), ...bytes]; };
  const chunk = events => {
    let time = 0;
    const bytes = events.sort((a, b) => a[0] - b[0] || a[1] - b[1]).flatMap(([tick, , event]) => {
      const wait = length((tick - time) * MIDI_TICKS);
      time = tick;
      return [...wait, ...event];
    });
    return [...utf8.encode("MTrk"), ...number(bytes.length + 4, 4), ...bytes, 0, 0xff, 0x2f, 0];
  };
  const meters = piece.meters.map(({ onset, numerator, denominator }) => [onset, 0, [0xff, 0x58, 4, numerator, Math.log2(denominator), 24, 8]]);
  const head = chunk([[0, 0, [0xff, 0x51, 3, ...number(Math.round(6e7 / tempo), 3)]], ...meters]);
  let pitched = 0;
  const tracks = piece.tracks.map(({ name, program, drums }, index) => {
    const channel = drums ? 9 : (pitched % 15) + (pitched % 15 > 8 ? 1 : 0);
    pitched += drums ? 0 : 1;
    const notes = piece.notes.filter(({ track }) => track === index).flatMap(({ onset, duration, pitch, velocity }) =>
      [[onset + duration, 1, [0x80 | channel, pitch, 64]], [onset, 2, [0x90 | channel, pitch, velocity]]]);
    return chunk([[0, 0, named(3, name)], [0, 0, [0xc0 | channel, program]], ...notes]);
  });
  return Uint8Array.from([...utf8.encode("MThd"), 0, 0, 0, 6, 0, 1, ...number(tracks.length + 1, 2), ...number(12 * MIDI_TICKS, 2), ...head, ...tracks.flat()]);
}

// By General MIDI's families: a wave, seconds until a note has died away (0 while it is held), how bright it is.
const FAMILIES = [
  ["triangle", 1.6, 6], ["sine", 1.2, 8], ["square", 0, 3], ["triangle", 1.1, 5], ["triangle", .9, 3], ["sawtooth", 0, 3], ["sawtooth", 0, 3], ["sawtooth", 0, 4],
  ["square", 0, 3], ["sine", 0, 5], ["square", 0, 4], ["sawtooth", 0, 2], ["sawtooth", 0, 3], ["triangle", .9, 6], ["triangle", .5, 6], ["sawtooth", .5, 2],
];

// Plays a piece with simple waves: the notes of the next second are made ready at a time.
class Player {
  constructor(piece, tempo, onEnd) {
    Object.assign(this, { piece, onEnd, second: TICKS * tempo / 60, next: 0 });
    this.context = new AudioContext();
    const limiter = this.context.createDynamicsCompressor();
    this.volume = this.context.createGain();
    this.volume.gain.value = .22;
    this.volume.connect(limiter).connect(this.context.destination);
    this.begun = this.context.currentTime + .1;
    this.timer = setInterval(() => this.prepare(), 200);
    this.prepare();
  }

  // Where it is, in ticks.
  get tick() { return Math.max(0, (this.context.currentTime - this.begun) * this.second); }

  prepare() {
    const { notes, length } = this.piece, until = (this.context.currentTime - this.begun + 1) * this.second;
    while (this.next < notes.length && notes[this.next].onset < until) this.sound(notes[this.next++]);
    if (this.tick > length + this.second / 2) this.stop();
  }

  sound({ onset, duration, pitch, velocity, track }) {
    const { context } = this, { drums, program } = this.piece.tracks[track], begin = Math.max(this.begun + onset / this.second, context.currentTime);
    const gain = context.createGain(), filter = context.createBiquadFilter();
    const [wave, fading, brightness] = FAMILIES[program >> 3], frequency = 440 * 2 ** ((pitch - 69) / 12);
    const lasting = drums ? .18 : fading ? Math.min(duration / this.second + .12, fading) : duration / this.second;
    const source = drums ? this.noise() : context.createOscillator();
    if (!drums) Object.assign(source, { type: wave }).frequency.value = frequency;
    filter.type = drums && pitch > 41 ? "highpass" : "lowpass";
    filter.frequency.value = drums ? (pitch > 41 ? 4000 : 180) : Math.min(frequency * brightness, 12000);
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime((velocity / 127) ** 1.5 * (drums ? 1.4 : 1), begin + .008);
    gain.gain.setTargetAtTime(fading && !drums ? .35 : .8, begin + .01, .12);
    gain.gain.setTargetAtTime(0, begin + lasting, drums ? .03 : .05);
    source.connect(filter).connect(gain).connect(this.volume);
    source.start(begin);
    source.stop(begin + lasting + .4);
  }

  noise() {
    if (!this.buffer) {
      this.buffer = this.context.createBuffer(1, this.context.sampleRate, this.context.sampleRate);
      this.buffer.getChannelData(0).forEach((_, index, samples) => { samples[index] = 2 * Math.random() - 1; });
    }
    return Object.assign(this.context.createBufferSource(), { buffer: this.buffer });
  }

  stop() {
    clearInterval(this.timer);
    this.context.close();
    this.onEnd();
  }
}

const LANE = 6, MARGIN = 34, COLOURS = 6;
const widthOf = ({ isPlayed }) => isPlayed ? .9 : 5; // of a tick
const noteName = pitch => `${["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"][pitch % 12]}${Math.floor(pitch / 12) - 1}`;

// A piano roll: a lane for each pitch (below them one for each drum), a line for each bar or second.
function drawRoll(piece, drumNames) {
  const { notes, tracks, length, lines, meters } = piece, wide = widthOf(piece);
  const isDrum = note => tracks[note.track].drums, pitched = notes.filter(note => !isDrum(note)).map(({ pitch }) => pitch);
  const drums = [...new Set(notes.filter(isDrum).map(({ pitch }) => pitch))].sort((a, b) => a - b);
  const highest = Math.max(...pitched, 0) + 1, lowest = pitched.length ? Math.min(...pitched) - 1 : highest + 1;
  const top = 18, middle = top + (highest - lowest + 1) * LANE, bottom = middle + (drums.length ? (drums.length + 1) * LANE : 0);
  const x = tick => MARGIN + tick * wide, y = pitch => top + (highest - pitch) * LANE, width = x(length) + 8;
  const svg = makeSvg("svg", { width, height: bottom + 6, role: "img", "aria-label": `piano roll: ${notes.length} notes in ${lines.length - 1} ${piece.isPlayed ? "seconds" : "bars"}` });
  for (let pitch = lowest; pitch <= highest; pitch++) {
    if ([1, 3, 6, 8, 10].includes(pitch % 12)) svg.append(makeSvg("rect", { class: "black", x: MARGIN, y: y(pitch), width: x(length) - MARGIN, height: LANE }));
    if (pitch % 12 === 0) svg.append(makeSvg("text", { x: 2, y: y(pitch) + LANE }, noteName(pitch)));
  }
  meters.forEach((meter, index) => {
    for (let tick = meter.onset; tick < (meters[index + 1]?.onset ?? length); tick += beatOf(meter)) svg.append(makeSvg("path", { class: "beat", d: `M${x(tick)} ${top}V${bottom}` }));
  });
  lines.forEach((tick, index) => {
    svg.append(makeSvg("path", { class: "line", d: `M${x(tick)} ${top - 4}V${bottom}` }));
    if (index < lines.length - 1) svg.append(makeSvg("text", { x: x(tick) + 3, y: top - 6 }, index + 1));
  });
  for (const note of notes) {
    const lane = isDrum(note) ? middle + LANE * (drums.indexOf(note.pitch) + 1) : y(note.pitch);
    const rect = makeSvg("rect", { class: `note track-${note.track % COLOURS}`, x: x(note.onset) + .6, y: lane + .4, rx: 1.5, width: Math.max(note.duration * wide - 1.2, 2), height: LANE - .8 });
    rect.append(makeSvg("title", {}, `${isDrum(note) ? drumNames[note.pitch] ?? `drum ${note.pitch}` : noteName(note.pitch)} ${tracks[note.track].name}`));
    svg.append(rect);
  }
  svg.append(makeSvg("path", { id: "playhead", d: `M0 ${top}V${bottom}`, visibility: "hidden" }));
  return svg;
}
