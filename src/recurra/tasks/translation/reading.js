// A sentence as the network reads it, and its translation as a person does: `reading.py` and `data/placeholders.py`.

const SYMBOLS = Array.from({ length: 10 }, (_, number) => String.fromCharCode(0xe9a0 + number));

// One side of the sentences.
class Vocabulary {
  constructor(json) {
    this.tokenizer = tokenizerOf(json);
    this.start = this.tokenizer.size;
    this.end = this.start + 1;
    const endsLine = token => this.tokenizer.piece(token).some(byte => byte === 10 || byte === 13);
    const tokens = Array.from({ length: this.start }, (_, token) => token);
    this.unwritable = [this.start, ...tokens.filter(token => token === this.tokenizer.unknown || endsLine(token))];
  }

  spaced(sentence) { return this.tokenizer.isSpaced && sentence ? " " + sentence : sentence; }

  encode(sentence) { return [...this.tokenizer.encode(this.spaced(sentence)), this.end]; }

  unknownIn(sentence) {
    const { unknown } = this.tokenizer, tokens = this.encode(sentence);
    if (unknown === null || !tokens.includes(unknown)) return [];
    const parts = this.tokenizer.split(this.spaced(sentence)).filter((_, index) => tokens[index] === unknown);
    return [...new Set(parts.map(part => part.replace(/^ +| +$/g, "") || part))];
  }

  decode(tokens) {
    const decode = decoder(), text = tokens.map(token => decode(this.tokenizer.piece(token))).join("") + decode(new Uint8Array(), true);
    return this.tokenizer.isSpaced && text.startsWith(" ") ? text.slice(1) : text;
  }

  shown(token) {
    return token === this.end ? "⏎" : shownToken(this.tokenizer, token);
  }

  // The tokens that a placeholder is, at the beginning of a word and within.
  runsOf(symbol) {
    const forms = this.tokenizer.kind === "words" ? [symbol, " " + symbol] : [symbol];
    return forms.map(form => this.tokenizer.encode(form)).filter(run => !run.includes(this.tokenizer.unknown));
  }
}

// What is copied instead of being translated; a pattern that this browser does not know finds nothing.
class Placeholders {
  constructor(kept) {
    this.count = kept?.count ?? 0;
    this.words = kept?.words ? new Set(kept.words) : null;
    this.symbols = SYMBOLS.slice(0, this.count);
    this.isWhole = true;
    const own = `[${SYMBOLS.join("")}]`;
    try {
      if (kept && kept.pattern === null) throw new SyntaxError();
      this.pattern = new RegExp(kept?.pattern ? `${kept.pattern}|${own}` : own, "gu");
    } catch {
      this.isWhole = false;
      this.pattern = new RegExp(own, "gu");
    }
  }

  isUnknown(word) {
    const form = word.normalize("NFC");
    return HAS_LETTERS.test(form) && !this.words.has(form) && !this.words.has(form.toLowerCase());
  }

  // Where what is kept stands: what the pattern finds, and outside of that words that were never seen.
  kept(text, withWords) {
    const spans = [...text.matchAll(this.pattern)].filter(found => found[0]).map(found => [found.index, found.index + found[0].length]);
    if (!withWords || !this.words) return spans;
    let begin = 0;
    const words = [];
    for (const word of findWords(text)) {
      const from = begin + (word.startsWith(" ") && word.length > 1 ? 1 : 0), to = begin += word.length;
      if (!spans.some(([a, b]) => a < to && from < b) && this.isUnknown(text.slice(from, to))) words.push([from, to]);
    }
    return [...spans, ...words].sort(([a], [b]) => a - b);
  }

  mask(text, withWords = true) {
    const spans = this.count ? this.kept(text, withWords).slice(0, this.count) : [];
    let masked = "", done = 0;
    spans.forEach(([begin, end], number) => {
      masked += text.slice(done, begin) + SYMBOLS[number];
      done = end;
    });
    return { text: masked + text.slice(done), values: spans.map(([begin, end]) => text.slice(begin, end)) };
  }

  unmask(text, values) {
    return Array.from(text, character => this.symbols.includes(character) ? values[SYMBOLS.indexOf(character)] ?? "" : character).join("");
  }
}

const capitalize = text => { const [first = "", ...rest] = text; return first.toUpperCase() + rest.join("").toLowerCase(); };
const titled = word => word.replace(/[\p{Lu}\p{Ll}\p{Lt}]+/gu, capitalize);
const isInCapitals = text => /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text);
const FOREIGN = 1.5, MIN_LETTERS = 5;

class Reader {
  constructor({ source, target, placeholders }) {
    this.source = new Vocabulary(source);
    this.target = target ? new Vocabulary(target) : this.source;
    this.placeholders = new Placeholders(placeholders);
  }

  // The sentence with placeholders, what they stand for, its tokens, and what its translation must and must not have.
  read(sentence) {
    const text = stripped(sentence), own = this.placeholders.mask(text, false);
    let reading = { ...this.placeholders.mask(text), recased: null };
    if (isInCapitals(own.text) && (own.text.match(/\p{Uppercase}/gu) ?? []).length >= MIN_LETTERS) {
      const small = this.inSmallLetters(own.text);
      if (this.isForeign(own.text, small)) reading = { ...this.placeholders.mask(small), recased: own.values };
    }
    const runs = symbol => this.target.runsOf(symbol), isThere = symbol => reading.text.includes(symbol);
    const required = this.placeholders.symbols.filter(isThere).map(runs).filter(forms => forms.length);
    const foreign = this.placeholders.symbols.filter(symbol => !isThere(symbol)).flatMap(runs).filter(run => run.length === 1);
    return { sentence: text, ...reading, tokens: this.source.encode(reading.text), required, suppressed: foreign.map(run => run[0]) };
  }

  inSmallLetters(text) {
    const { words } = this.placeholders, small = capitalize(text);
    if (!words && this.source.tokenizer.kind !== "words") return small;
    const isKnown = word => words ? words.has(word) : !this.source.unknownIn(word).length;
    return findWords(small).map(piece => {
      const word = stripped(piece), lower = word.toLowerCase();
      return word === lower && word && !isKnown(word) && isKnown(titled(word)) ? piece.replace(word, titled(word)) : piece;
    }).join("");
  }

  isForeign(capitals, small) {
    const { unknown, kind } = this.source.tokenizer;
    if (unknown !== null) return this.source.unknownIn(small).length < this.source.unknownIn(capitals).length;
    return kind === "subwords" && this.source.encode(capitals).length >= FOREIGN * this.source.encode(small).length;
  }

  restored(tokens, { values, recased }) {
    const text = this.placeholders.unmask(this.target.decode(tokens), values);
    return recased ? this.placeholders.unmask(text.toUpperCase(), recased) : text;
  }

  // A token as a person reads it, with what a placeholder stands for.
  shown(side, token, { values }) {
    return this.placeholders.unmask(side.shown(token), values);
  }
}
