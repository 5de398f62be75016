// Plays a piece by Web Audio: plain tones, put down a moment before they sound, so that a long piece costs no more.
const AHEAD = .5, EVERY = 150;  // seconds that are put down ahead; milliseconds between two looks

// `roll.notes` are [onset, duration, pitch, velocity, track, begin, end], begin and end in seconds. `tell(seconds, sounding)` is
// called as it plays, with the set of notes that sound. Nothing sounds before `play`.
export function player({ notes, tracks }, tell) {
  const order = notes.map((_, i) => i).sort((a, b) => notes[a][5] - notes[b][5]);
  const seconds = Math.max(0, ...notes.map(note => note[6]));
  let context = null, out = null, began = 0, next = 0, timer = 0, frame = 0;
  const now = () => context.currentTime - began;

  function put() {
    while (next < order.length && notes[order[next]][5] < now() + AHEAD) sound(notes[order[next++]]);
  }

  function sound([, , pitch, velocity, track, begin, end]) {
    if (end <= now()) return;
    const start = Math.max(context.currentTime, began + begin), stop = began + end, gain = context.createGain();
    const source = tracks[track].drums ? noise(pitch) : tone(pitch), loud = .22 * (velocity / 127) ** 1.5;
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(loud, start + .012);
    gain.gain.setTargetAtTime(loud * .35, start + .012, tracks[track].drums ? .04 : .5);
    gain.gain.setTargetAtTime(0, stop, .05);
    source.connect(gain).connect(out);
    source.start(start);
    source.stop(stop + .4);
  }

  function tone(pitch) {
    const partials = new Float32Array([0, 1, .42, .25, .12, .06, .03]);
    const source = context.createOscillator();
    source.setPeriodicWave(context.createPeriodicWave(partials.map(() => 0), partials));
    source.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
    return source;
  }

  function noise(pitch) {
    const source = context.createBufferSource(), buffer = context.createBuffer(1, context.sampleRate / 4, context.sampleRate);
    const samples = buffer.getChannelData(0), smooth = pitch < 38 ? .04 : .7;
    for (let i = 0, last = 0; i < samples.length; i++) samples[i] = last += smooth * (2 * Math.random() - 1 - last);
    source.buffer = buffer;
    return source;
  }

  function follow() {
    const time = now();
    if (time >= seconds + .3) return end(0);
    tell(Math.min(time, seconds), new Set(notes.flatMap((note, i) => note[5] <= time && note[6] > time ? [i] : [])));
    frame = requestAnimationFrame(follow);
  }

  function end(time) {
    clearInterval(timer);
    cancelAnimationFrame(frame);
    context?.close();
    context = null;
    tell(time, new Set());
  }

  const self = {
    seconds,
    get playing() { return context !== null; },
    play(from = 0) {
      context = new AudioContext();
      out = context.createDynamicsCompressor();
      out.connect(context.destination);
      began = context.currentTime + .08 - from;
      next = order.findIndex(i => notes[i][6] > from);
      if (next < 0) next = order.length;
      put();
      timer = setInterval(put, EVERY);
      follow();
    },
    stop() { if (context) end(now()); },
    seek(to) {
      const was = self.playing;
      if (was) end(to);
      was ? self.play(to) : tell(to, new Set());
    },
  };
  return self;
}
