// Chord progressions as people type them: `harmony.py`.

const ACCIDENTALS = { "♯": "#", "♭": "b", "𝄪": "x", "−": "-", "–": "-" };
const SHIFTS = { "": 0, "#": 1, "b": -1, "##": 2, "x": 2, "bb": -2 };
const LETTERS = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
const pitchClasses = (root, intervals) => new Set(intervals.map(interval => (root + interval + 24) % 12));

function parseChord(symbol) {
  const written = symbol.replace(/[♯♭𝄪−–]/gu, mark => ACCIDENTALS[mark]);
  if (["N.C.", "NC", "N.C"].includes(written.toUpperCase())) return new Set(range(12));
  const match = /^([A-G])(##|bb|#|b|)(.*?)(?:\/([A-G])(##|bb|#|b|))?$/su.exec(written);
  if (!match) throw new RangeError(`“${symbol.slice(0, 40)}” is not a chord: it begins with its root, a capital letter from A to G.`);
  let quality = match[3];
  for (const [pattern, plain] of data.harmony.spellings) quality = quality.replace(new RegExp(pattern, "gu"), plain);
  quality = data.harmony.aliases[quality] ?? quality;
  const intervals = data.harmony.chords[quality];
  if (!intervals) throw new RangeError(`“${symbol.slice(0, 40)}” is not a chord: after the root may come nothing, m, 7, maj7, m7, dim, sus4 and their like, or a bass as in C/E.`);
  const classes = pitchClasses(LETTERS[match[1]] + SHIFTS[match[2]], intervals);
  if (match[4]) classes.add((LETTERS[match[4]] + SHIFTS[match[5]] + 12) % 12);
  return classes;
}

const symbolsOf = bar => bar.split(/[\s,]+(?![^(]*\))/u).filter(part => !["", "-", "–", "—", "->", "→"].includes(part));

// Chords, and so many parts of a bar (of `of`) that each lasts.
function parseProgression(text) {
  if (!text.trim()) return [];
  let bars = text.replace(/^\s*\|+|\|+\s*$/gu, "").split(/\|+/u).map(symbolsOf);
  if (bars.length === 1 && !text.includes("|")) bars = bars[0].map(symbol => [symbol]);
  if (!bars.some(symbols => symbols.length)) throw new RangeError("The chord progression is empty: write one such as C | Am | F G7 | C.");
  const parsed = [];
  bars.forEach((symbols, index) => {
    if (!symbols.length) throw new RangeError(`Bar ${index + 1} of the chord progression is empty: write % to repeat what was before.`);
    const before = parsed.at(-1), bar = [];
    if (symbols.join() === "%" && before) return parsed.push(before);
    for (const symbol of symbols) {
      const last = bar.at(-1) ?? before?.at(-1), isAgain = ["%", "/"].includes(symbol) && last;
      bar.push({ classes: isAgain ? last.classes : parseChord(symbol), of: symbols.length });
    }
    parsed.push(bar);
  });
  return parsed.flat();
}

// When each chord begins, repeated to the end, and its pitch classes.
function harmonySpans(chords, lines, end) {
  const borders = [...lines.filter(tick => tick < end), end], found = new Map();
  for (let bar = 0, index = 0, part = 0; bar < borders.length - 1; index++) {
    const { classes, of } = chords[index % chords.length];
    found.set(borders[bar] + Math.floor(part * (borders[bar + 1] - borders[bar]) / of), classes);
    if (++part >= of) [part, bar] = [0, bar + 1];
  }
  return [...found.entries()];
}
