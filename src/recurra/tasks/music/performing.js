// Performances, to the hundredth of a second: `performance.py`, `performance_rules.py`, `performing.py`.

const [PLAY, PLAY_TRANSPOSED, NOTE_ON, NOTE_OFF, SHIFT, LOUDNESS] = Array(6).keys();
const SECOND = 100, LOUDNESS_STEPS = 32, LOUDNESS_STEP = 4, PLAYED_TEMPO = 500; // a tick of the notation is a hundredth of a second
const EVENTS = [
  { kind: PLAY, value: 0 }, { kind: PLAY_TRANSPOSED, value: 0 }, ...range(128).map(value => ({ kind: NOTE_ON, value })),
  ...range(128).map(value => ({ kind: NOTE_OFF, value })), ...range(SECOND, 1).map(value => ({ kind: SHIFT, value })), ...range(LOUDNESS_STEPS).map(value => ({ kind: LOUDNESS, value })),
];

class PerformanceRules {
  first() { return { begun: false, loudness: -1, sounding: new Set() }; }

  // Changes the state; gives the features that are on.
  read(token, state) {
    const { kind, value } = EVENTS[token];
    if (kind === PLAY) Object.assign(state, this.first(), { begun: true });
    else if (kind === LOUDNESS) state.loudness = value;
    else if (kind === NOTE_ON) state.sounding.add(value);
    else if (kind === NOTE_OFF) state.sounding.delete(value);
    return [...(state.begun ? [0] : []), ...(state.loudness < 0 ? [] : [2 + state.loudness]), ...[...state.sounding].map(pitch => 2 + LOUDNESS_STEPS + pitch)];
  }
}

// What is asked of a performance, and the beginning of one.
class Performance {
  constructor(notation, seconds) {
    Object.assign(this, { notation, end: Math.round(seconds * SECOND), size: EVENTS.length, start: [0] });
  }

  draft() { return new PlayedDraft(this.notation, this.end); }

  piece(tokens) {
    const notes = [], begun = new Map();
    let time = 0, velocity = 66;
    const finish = pitch => {
      const note = begun.get(pitch);
      begun.delete(pitch);
      if (note && time > note.onset) notes.push({ ...note, duration: time - note.onset });
    };
    for (const { kind, value } of tokens.map(token => EVENTS[token])) {
      if (kind === SHIFT) time += value;
      else if (kind === LOUDNESS) velocity = value * LOUDNESS_STEP + LOUDNESS_STEP / 2;
      else finish(value);
      if (kind === NOTE_ON) begun.set(value, { onset: time, pitch: value, velocity, track: 0 });
    }
    [...begun.keys()].forEach(finish);
    const tracks = [{ name: "", program: this.notation.program, drums: false }];
    return { tracks, notes: inOrder(notes), length: time, meters: [], lines: range(Math.ceil(time / SECOND) + 1).map(second => second * SECOND), isPlayed: true };
  }
}

// How far a performance has come, and what may come next: at a moment first what ends, then what begins.
class PlayedDraft {
  constructor(notation, end) {
    Object.assign(this, { notation, end, time: 0, last: PLAY, loudness: -1, isStruck: false, sounding: new Map() });
  }

  read(token) {
    const { kind, value } = EVENTS[token];
    this.last = kind;
    if (kind === SHIFT) Object.assign(this, { time: this.time + value, isStruck: false });
    else if (kind === LOUDNESS) this.loudness = value;
    else this.sounding.delete(value);
    if (kind !== NOTE_ON) return;
    this.sounding.set(value, this.time);
    this.isStruck = true;
  }

  allowed() {
    const { sounding, time, notation: { lowest, highest, longest, at_once: atOnce } } = this;
    const isOverdue = onset => onset + longest <= time, late = [...sounding.values()].some(isOverdue);
    const isFree = pitch => !late && sounding.size < atOnce && pitch >= lowest && pitch <= highest && !sounding.has(pitch);
    const isAnyFree = range(128).some(isFree), until = Math.min(this.end, ...[...sounding.values()].map(onset => onset + longest)) - time;
    return range(EVENTS.length).filter(token => {
      const { kind, value } = EVENTS[token];
      if (kind === NOTE_ON) return this.loudness >= 0 && isFree(value);
      if (kind === NOTE_OFF) return sounding.has(value) && (late ? isOverdue(sounding.get(value)) : this.last !== LOUDNESS && !this.isStruck && sounding.get(value) < time);
      if (late || this.last === LOUDNESS) return false;
      return kind === LOUDNESS ? isAnyFree && value !== this.loudness : kind === SHIFT && this.loudness >= 0 && value <= until;
    });
  }
}
