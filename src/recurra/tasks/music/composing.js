// Composing under controls that cannot be broken: `notation.py`, `rule_features.py`, `composition.py`, `constraints.py`.

const [START, TRANSPOSED, BARS, METER, TRACK, PITCH, DRUM, DURATION, VELOCITY, STEP] = Array(10).keys();
const TICKS = 12, MIDDLE_VELOCITY = 80, PLACES_SHOWN = 12, QUARTERS_SHOWN = 16, BARS_SHOWN = 4, LEFT_SHOWN = 8;
const range = (count, first = 0) => Array.from({ length: count }, (_, index) => first + index);

const barOf = ({ numerator, denominator }) => Math.floor(4 * TICKS * numerator / denominator);
const beatOf = ({ numerator, denominator }) => Math.floor(4 * TICKS * (denominator >= 8 && numerator % 3 === 0 && numerator > 3 ? 3 : 1) / denominator);

// A vocabulary of music: the tokens follow from what the notation knows.
class Notation {
  constructor(json, { most_bars: mostBars, velocities }) {
    Object.assign(this, json, { mostBars, velocities, pitches: json.highest - json.lowest + 1 });
    this.meters = json.meters.map(([numerator, denominator]) => ({ numerator, denominator }));
    this.tracks = json.tracks.map(([name, program, drums]) => ({ name, program, drums }));
    this.onsets = new Map(Object.entries(json.onsets ?? {}).map(([beat, ticks]) => [Number(beat), new Set(ticks)]));
    const of = (kind, values) => values.map(value => ({ kind, value }));
    this.tokens = [
      ...of(START, [0]), ...of(TRANSPOSED, [0]), ...of(BARS, range(mostBars + 1)), ...of(METER, range(this.meters.length)),
      ...of(TRACK, range(this.tracks.length)), ...of(PITCH, range(this.pitches)), ...of(DRUM, json.drums), ...of(DURATION, json.durations),
      ...of(VELOCITY, range(json.velocity ? velocities.length : 0)), ...of(STEP, json.steps),
    ];
    this.ofKind = range(10).map(kind => range(this.tokens.length).filter(token => this.tokens[token].kind === kind));
  }

  number(kind, value = 0) { return this.ofKind[kind].find(token => this.tokens[token].value === value); }

  value(token) { return this.tokens[token].value; }

  // The tokens that say how many bars there are: what several say is added up.
  length(bars) {
    const most = this.number(BARS, this.mostBars), hundreds = Math.floor(bars / this.mostBars), rest = bars % this.mostBars;
    return [...Array(hundreds).fill(most), ...(rest ? [this.number(BARS, rest)] : [])];
  }
}

// What can be told by rule from the tokens so far; `read` gives the features that are on.
class MusicRules {
  constructor(notation) {
    this.notation = notation;
    this.bars = notation.meters.map(barOf);
    this.lookback = new Lookback(notation);
  }

  first() {
    const pitches = () => new Float64Array(this.notation.pitches), tracks = () => new Float64Array(this.notation.tracks.length);
    return { tick: 0, metre: 0, bar: 0, place: 0, track: 0, pitch: 0, transposed: 0, begun: 0, left: 0,
             remaining: pitches(), fresh: pitches(), before: pitches(), earlier: pitches(), playing: tracks(), last: tracks(), listed: tracks(),
             remembered: this.lookback.first() };
  }

  // Changes the state.
  read(token, state) {
    const { kind, value } = this.notation.tokens[token], player = Math.max(state.track - 1, 0);
    if (kind <= TRANSPOSED) Object.assign(state, this.first(), { transposed: kind, begun: 1 });
    else if (kind === BARS) state.left += value;
    else if (kind === METER) Object.assign(state, { metre: value, tick: 0 });
    else if (kind === TRACK) {
      state.track = value + 1;
      state.listed[value] = 1;
    } else if (kind === PITCH) {
      state.pitch = value + 1;
      state.place += 1;
      state.fresh[value] = 1;
      if (state.last.length) state.last[player] = value + 1;
    } else if (kind === DRUM) {
      state.pitch = 0;
      state.place += 1;
    } else if (kind === DURATION) {
      if (state.pitch) state.remaining[state.pitch - 1] = Math.max(state.remaining[state.pitch - 1], value);
      if (state.playing.length) state.playing[player] = value;
    } else if (kind === STEP) this.goOn(state, value);
    const { on, size } = this.shown(kind, state);
    return [...on, ...this.lookback.read(token, { kind, value }, state.remembered).map(feature => size + feature)];
  }

  goOn(state, ticks) {
    const bar = this.bars[state.metre], tick = state.tick + ticks, crossed = Math.floor(tick / bar);
    state.bar = (state.bar + crossed) % BARS_SHOWN;
    state.tick = tick % bar;
    if (state.left > 0) state.left = Math.max(state.left - crossed, 1);
    Object.assign(state, { place: 0, track: 0, pitch: 0, earlier: state.before, before: state.fresh, fresh: new Float64Array(state.fresh.length) });
    state.remaining = state.remaining.map(left => Math.max(left - ticks, 0));
    state.playing = state.playing.map(left => Math.max(left - ticks, 0));
    state.listed.fill(0);
  }

  shown(kind, state) {
    const { pitches, tracks, steps, meters } = this.notation, on = [];
    const add = (index, isOn = true) => { if (isOn) on.push(index); };
    add(0, state.transposed > 0);
    add(1, state.begun > 0);
    add(2 + Math.min(state.place, PLACES_SHOWN - 1));
    let at = 2 + PLACES_SHOWN;
    if (state.begun) {
      add(at + state.tick % TICKS);
      add(at + TICKS + Math.min(Math.floor(state.tick / TICKS), QUARTERS_SHOWN - 1));
      add(at + TICKS + QUARTERS_SHOWN + state.bar);
      add(at + TICKS + QUARTERS_SHOWN + BARS_SHOWN + state.metre);
    }
    at += TICKS + QUARTERS_SHOWN + BARS_SHOWN + meters.length;
    if (state.left) add(at + [1, 2, 3, 4, 6, 8, 16].filter(bars => bars < state.left).length);
    at += LEFT_SHOWN;
    let firstEnd = Infinity;
    for (let pitch = 0; pitch < pitches; pitch++) {
      add(at + pitch, state.fresh[pitch]);
      add(at + pitches + pitch, state.before[pitch]);
      add(at + 2 * pitches + pitch, state.earlier[pitch]);
      if (state.remaining[pitch] > 0) {
        add(at + 3 * pitches + pitch, !state.fresh[pitch]);
        firstEnd = Math.min(firstEnd, state.remaining[pitch]);
      }
    }
    at += 4 * pitches;
    if (firstEnd < Infinity) add(at + Math.min(steps.filter(step => step < firstEnd).length, steps.length - 1));
    at += steps.length;
    tracks.forEach((_, track) => {
      add(at + track, track === state.track - 1);
      add(at + tracks.length + track, state.listed[track]);
      add(at + 2 * tracks.length + track, state.playing[track] > 0);
    });
    at += 3 * tracks.length;
    const last = state.track && kind === TRACK ? state.last[state.track - 1] : 0;
    add(at + last - 1, last > 0);
    return { on, size: at + (tracks.length ? pitches : 0) };
  }
}

// The demands on a composition, worked out in ticks.
class Plan {
  constructor(notation, { bars, meter, scale, chords, voices }, uniform) {
    Object.assign(this, { notation, voices });
    const pickup = this.pickup(meter, uniform), whole = notation.meters[meter];
    this.meters = pickup === null ? [{ onset: 0, ...whole }] : [{ onset: 0, ...notation.meters[pickup] }, { onset: barOf(notation.meters[pickup]), ...whole }];
    const first = this.meters.at(-1).onset;
    this.lines = [...(first ? [0] : []), ...range(bars + 1).map(bar => first + bar * barOf(whole))];
    this.end = notation.frame ? Math.ceil(this.lines.at(-1) / notation.frame) * notation.frame : this.lines.at(-1);
    this.fits = range(notation.pitches).map(pitch => scale.has((notation.lowest + pitch) % 12));
    this.harmony = chords.length ? harmonySpans(chords, first ? this.lines.slice(1) : this.lines, this.lines.at(-1)) : [];
    if (this.harmony.length) this.harmony[0][0] = 0; // a pickup belongs to the first chord
    this.requireRoom();
    this.meterAt = this.places();
    this.stops = [...new Set([...this.meterAt.keys(), this.end])].sort((a, b) => a - b);
    this.begins = this.onsets();
    this.size = notation.tokens.length;
    this.start = [notation.number(START), ...notation.length(this.lines.length - 1)];
  }

  draft() { return new Draft(this); }

  piece(tokens) { return pieceOf(tokens, this); }

  // A pickup that the corpus has before this metre, as often as there; null for none.
  pickup(meter, uniform) {
    const rows = (this.notation.pickups ?? []).filter(row => row[1] === meter).sort((a, b) => b[0] - a[0] || b[2] - a[2]);
    const total = rows.reduce((sum, [, , count]) => sum + count, 0);
    let reached = 0;
    for (const [pickup, , count] of rows) if ((reached += count) > uniform * total) return pickup < 0 ? null : pickup;
    return null;
  }

  requireRoom() {
    const { lowest, tracks } = this.notation;
    if (tracks.length && tracks.every(({ drums }) => drums)) return;
    for (const [, classes] of [...this.harmony, [0, new Set(range(12))]])
      if (!this.fits.some((fits, pitch) => fits && classes.has((lowest + pitch) % 12)))
        throw new RangeError("The chords and the key have no note in common that the model knows; leave one of them out.");
  }

  // Which metre begins at which tick, where it is not the first of the notation from the beginning on.
  places() {
    const found = new Map();
    let current = 0, since = 0;
    for (const meter of this.meters) {
      const place = this.notation.meters.findIndex(({ numerator, denominator }) => numerator === meter.numerator && denominator === meter.denominator);
      if (place === current && (meter.onset - since) % barOf(meter) === 0) continue;
      found.set(meter.onset, current = place);
      since = meter.onset;
    }
    return found;
  }

  // Whether notes may begin at each tick: where some of the corpus do in a beat.
  onsets() {
    const found = new Uint8Array(this.end + 1).fill(1);
    if (!this.notation.onsets.size) return found;
    const ends = [...this.meters.slice(1).map(({ onset }) => onset), this.end + 1];
    this.meters.forEach((meter, index) => {
      const known = this.notation.onsets.get(beatOf(meter)) ?? new Set([0]);
      for (let tick = meter.onset; tick < ends[index]; tick++) found[tick] = known.has((tick - meter.onset) % barOf(meter) % beatOf(meter)) ? 1 : 0;
    });
    return found;
  }

  mayBegin(time) { return this.begins[Math.min(time, this.end)] === 1; }

  isReached(time) { return this.mayBegin(time) || this.stops.includes(time); }

  // Until when a note of a pitch class may sound that begins at `time`.
  latestEnd(time, pitchClass) {
    if (!this.harmony.length) return this.end;
    const from = this.harmony.findLastIndex(([tick]) => tick <= time);
    const ends = this.harmony.slice(from).find(([, classes]) => !classes.has(pitchClass));
    return ends ? Math.max(ends[0], time) : Math.max(this.end, time);
  }
}

// How far a composition has come, and what may come next.
class Draft {
  constructor(plan) {
    Object.assign(this, { plan, notation: plan.notation });
    this.begin(0, [], new Set());
    this.last = BARS;
  }

  begin(time, sounding, ended) {
    Object.assign(this, { time, sounding, ended, track: -1, pitch: -1, drum: -1, listed: 0, metered: false });
  }

  read(token) {
    const { kind, value } = this.notation.tokens[token], before = this.last;
    if (kind === STEP) {
      const time = this.time + value, ended = this.sounding.filter(note => this.notation.frame && note.end === time);
      this.begin(time, this.sounding.filter(note => note.end > time), new Set(ended.map(({ pitch }) => pitch)));
    } else if (kind === METER) this.metered = true;
    else if (kind === TRACK) Object.assign(this, { track: value, pitch: -1, drum: -1 });
    else if (kind === PITCH) {
      this.pitch = this.notation.lowest + value;
      this.listed += 1;
      this.sounding.push({ end: this.time + (this.notation.frame || 1), track: Math.max(this.track, 0), pitch: this.pitch });
    } else if (kind === DRUM) this.drum = value;
    else if (kind === DURATION && before === PITCH) this.sounding.at(-1).end = this.time + value;
    this.last = kind;
  }

  allowed() {
    const { notation, plan, last } = this, { ofKind } = notation;
    if ((last === PITCH || last === DRUM) && notation.durations.length) return this.durations();
    if (last === DURATION && notation.velocity) return ofKind[VELOCITY];
    if (!this.metered && this.track < 0 && !this.listed && plan.meterAt.has(this.time)) return [notation.number(METER, plan.meterAt.get(this.time))];
    if (last === TRACK) return this.notes();
    return [...this.notes(), ...this.steps(), ...this.tracks()];
  }

  durations() {
    const { notation, plan, time } = this, numbers = notation.ofKind[DURATION];
    const until = this.last === DRUM ? Math.max(plan.end - time, notation.durations[0]) : plan.latestEnd(time, this.sounding.at(-1).pitch % 12) - time;
    return numbers.filter(token => notation.value(token) <= until);
  }

  steps() {
    const { notation, plan, time } = this, numbers = notation.ofKind[STEP], wait = plan.stops.find(stop => stop > time) - time;
    const near = numbers.filter(token => notation.value(token) <= Math.max(wait, notation.steps[0]));
    const landing = near.filter(token => plan.isReached(time + notation.value(token)));
    return landing.length ? landing : near;
  }

  tracks() {
    return this.notation.ofKind[TRACK].filter(token => {
      const track = this.notation.value(token);
      return track > this.track && (this.notation.tracks[track].drums ? this.drums(-1) : this.playable(track, -1)).length;
    });
  }

  notes() {
    const { tracks } = this.notation;
    if (tracks.length) return this.track < 0 ? [] : tracks[this.track].drums ? this.drums(this.drum) : this.playable(this.track, this.pitch);
    return [...(this.drum < 0 ? this.playable(0, this.pitch) : []), ...this.drums(this.drum)];
  }

  drums(above) {
    return this.plan.mayBegin(this.time) ? this.notation.ofKind[DRUM].filter(token => this.notation.value(token) > above) : [];
  }

  playable(track, above) {
    const { notation, plan, time } = this;
    if (plan.voices !== null && this.sounding.length >= plan.voices) return [];
    const shortest = notation.frame || notation.durations[0], mayBegin = plan.mayBegin(time);
    const lasting = range(12).map(pitchClass => plan.latestEnd(time, pitchClass) - time >= shortest);
    const taken = new Set(this.sounding.filter(note => note.track === track).map(({ pitch }) => pitch));
    return notation.ofKind[PITCH].filter((_, place) => {
      const pitch = notation.lowest + place;
      return pitch > above && plan.fits[place] && lasting[pitch % 12] && !taken.has(pitch) && (mayBegin || this.ended.has(pitch));
    });
  }
}

// Composes token by token; the piece at its end.
function* compose(network, rules, plan, options, generator) {
  const table = network.ruleEmbedding, entering = network.layers[0], state = rules.first(), draft = plan.draft(), tokens = [];
  let stepped = { state: network.zeroState() };
  const read = token => {
    const vector = new Float64Array(table.outputs);
    for (const feature of rules.read(token, state)) table.addRow(feature, vector);
    stepped = network.step(token, stepped.state, entering.input.times(vector));
  };
  plan.start.forEach(read);
  while (draft.time < plan.end) {
    const logits = new Float64Array(plan.size).fill(-Infinity);
    for (const token of draft.allowed()) logits[token] = stepped.logits[token];
    const token = draw(logits, options, generator.random());
    tokens.push(token);
    draft.read(token);
    read(token);
    yield draft.time / plan.end;
  }
  return plan.piece(tokens);
}

// The piece that tokens stand for, cut to its bars.
function pieceOf(tokens, { notation, lines, meters }) {
  const tracks = notation.tracks.length ? notation.tracks : [{ name: "", program: notation.program, drums: false }, ...(notation.drums.length ? [{ name: "Drums", program: 0, drums: true }] : [])];
  const notes = [], length = lines.at(-1), isAlone = !notation.tracks.length;
  let time = 0, track = 0;
  for (const token of tokens) {
    const { kind, value } = notation.tokens[token];
    const add = (duration, pitch, player) => notes.push({ onset: time, duration, pitch, velocity: MIDDLE_VELOCITY, track: player });
    if (kind === TRACK) track = value;
    else if (kind === PITCH) add(notation.frame || 1, notation.lowest + value, isAlone ? 0 : track);
    else if (kind === DRUM) add(1, value, isAlone ? 1 : track);
    else if (kind === DURATION) notes.at(-1).duration = value;
    else if (kind === VELOCITY) notes.at(-1).velocity = notation.velocities[value];
    else if (kind === STEP) {
      time += value;
      track = 0;
    }
  }
  const kept = (notation.frame ? joinedNotes(notes) : singleNotes(notes)).filter(note => note.onset < length);
  for (const note of kept) note.duration = Math.min(note.duration, length - note.onset);
  return { tracks, notes: kept, length, meters, lines };
}

const inOrder = notes => notes.sort((a, b) => a.onset - b.onset || a.track - b.track || a.pitch - b.pitch);

// No two notes of one pitch sound at once in one track.
function singleNotes(notes) {
  const kept = [], last = new Map();
  for (const note of inOrder(notes)) {
    const key = 128 * note.track + note.pitch, before = last.get(key);
    if (before && before.onset === note.onset) {
      if (note.duration > before.duration) Object.assign(before, note);
      continue;
    }
    if (before) before.duration = Math.min(before.duration, note.onset - before.onset);
    last.set(key, note);
    kept.push(note);
  }
  return kept;
}

// Of frames: notes of one pitch that follow each other without a gap are one.
function joinedNotes(notes) {
  const kept = [], last = new Map();
  for (const note of inOrder(notes)) {
    const key = 128 * note.track + note.pitch, before = last.get(key);
    if (before && before.onset + before.duration >= note.onset) before.duration = Math.max(before.duration, note.onset + note.duration - before.onset);
    else kept.push(last.set(key, note).get(key));
  }
  return inOrder(kept);
}
