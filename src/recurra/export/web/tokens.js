// Text to tokens and back, as `data/tokenizer.py` has it: what a tokenizer is made of stands in the file.

const SPACE = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"; // Unicode's White_Space
const LETTER = "\\p{Alphabetic}\\p{M}\\p{N}\\p{Pc}\\p{Join_Control}";
const KEPT = "\\ue9a0-\\ue9a9"; // placeholders
const JOINED = "[\\p{M}\\u200c\\u200d]";
const WORD_PATTERN = new RegExp(` ?<[${LETTER}]+>| ?[${LETTER}]+(?:['\\u2019\\xb7\\xad\\u05f3\\u05f4][${LETTER}]+)*`, "yu");
const SYMBOL = new RegExp(`[^${LETTER}${SPACE}]`, "yu");
const SUBWORD_LIMITS = new RegExp(
  `['\\u2019](?:s|t|re|ve|m|ll|d)(?!${JOINED})| ?\\p{L}(?:\\p{L}|${JOINED})*| ?\\p{N}(?:\\p{N}|${JOINED})*|[${KEPT}]` +
  `| ?[^${SPACE}\\p{L}\\p{N}${KEPT}]+|\\n|(?:(?!\\n)[${SPACE}])+(?![^${SPACE}])|(?:(?!\\n)[${SPACE}])+`, "gu");
const utf8 = new TextEncoder(), graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

// The words of a text, each with the space before it; any other character is one of its own, with all that belongs to it.
function findWords(text) {
  const words = [];
  for (let at = 0; at < text.length; at += words.at(-1).length) words.push(wordAt(text, at));
  return words;
}

function wordAt(text, at) {
  WORD_PATTERN.lastIndex = at;
  const word = WORD_PATTERN.exec(text);
  if (word) return word[0];
  const begin = text[at] === " " ? at + 1 : at;
  SYMBOL.lastIndex = begin;
  if (!SYMBOL.test(text)) return String.fromCodePoint(text.codePointAt(at));
  return text.slice(at, begin) + [...graphemes.segment(text.slice(begin, begin + 100))][0].segment;
}

const HAS_LETTERS = new RegExp(`[${LETTER}]`, "u");
const BLANK = `[${SPACE}\\x1c-\\x1f]+`; // what Python takes for white space
const BLANKS = new RegExp(BLANK, "gu"), AROUND = new RegExp(`^${BLANK}|${BLANK}$`, "gu");
const stripped = text => text.replace(AROUND, "");

// A text as words without spaces: `WordSplitter` of `data/words.py`.
function splitWords(text, { kind, lowercase, punctuation }) {
  text = text.normalize("NFC");
  const pieces = kind === "words" ? findWords(text) : text.split(BLANKS);
  const words = pieces.map(stripped).filter(word => word && (punctuation || HAS_LETTERS.test(word)));
  return lowercase ? words.map(word => word.toLowerCase()) : words;
}

// The printable character that byte-level byte-pair encoding writes for each byte.
function byteCharacters() {
  const isPrintable = byte => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : 256 + others++));
}

class Characters {
  constructor({ tokens }) {
    this.tokens = ["\ufffd", ...tokens];
    this.numbers = new Map(tokens.map((token, index) => [token, index + 1]));
    this.unknown = 0;
  }
  split(text) { return Array.from(text); }
  encode(text) { return this.split(text).map(part => this.numbers.get(part) ?? 0); }
  piece(token) { return utf8.encode(this.tokens[token]); }
}

class Words extends Characters {
  constructor({ tokens }) {
    super({ tokens });
    this.tokens[0] = " \ufffd";
  }
  split(text) { return findWords(text); }
}

class Bytes {
  tokens = Array.from({ length: 256 });
  unknown = null;
  split(text) { return Array.from(text); }
  encode(text) { return Array.from(utf8.encode(text)); }
  piece(token) { return Uint8Array.of(token); }
}

class Subwords {
  constructor({ tokens, merges }) {
    const characters = byteCharacters(), bytes = new Map(characters.map((character, byte) => [character, byte]));
    Object.assign(this, { tokens, characters, unknown: null });
    this.numbers = new Map(tokens.map((token, index) => [token, index]));
    this.ranks = new Map(merges.map(([left, right], rank) => [left + " " + right, rank]));
    this.pieces = tokens.map(token => Uint8Array.from(token, character => bytes.get(character)));
  }
  split(text) {
    return (text.match(SUBWORD_LIMITS) ?? []).flatMap(part => this.merged(part));
  }
  // Of all neighbours the pair that was learned first is joined, until none is left (Sennrich et al. 2016).
  merged(part) {
    const parts = Array.from(utf8.encode(part), byte => this.characters[byte]);
    while (true) {
      let place = -1, best = Infinity;
      for (let i = 0; i + 1 < parts.length; i++) {
        const rank = this.ranks.get(parts[i] + " " + parts[i + 1]);
        if (rank < best) [place, best] = [i, rank];
      }
      if (place < 0) return parts;
      parts.splice(place, 2, parts[place] + parts[place + 1]);
    }
  }
  encode(text) { return this.split(text).map(part => this.numbers.get(part)); }
  piece(token) { return this.pieces[token]; }
}

const KINDS = { characters: Characters, words: Words, bytes: Bytes, subwords: Subwords };

// A tokenizer of a vocabulary as JSON; `boundary` is the token between documents, or null.
function tokenizerOf(json) {
  const inner = new KINDS[json.kind](json), size = inner.tokens.length, form = json.normalization;
  const boundary = json.boundary ? size : null, whole = text => form ? text.normalize(form) : text;
  return {
    kind: json.kind, isSpaced: json.kind === "words" || json.kind === "subwords",
    size: size + (json.boundary ? 1 : 0), unknown: inner.unknown, boundary,
    encode: text => inner.encode(whole(text)),
    split: text => inner.split(whole(text)),
    piece: token => token === boundary ? new Uint8Array() : inner.piece(token),
  };
}

// A function from each token's bytes to the text they complete; `skip` bytes at the beginning are left out.
function decoder(skip = 0) {
  const decode = new TextDecoder("utf-8", { ignoreBOM: true });
  return (bytes, isLast = false) => {
    const shown = bytes.subarray(skip);
    skip -= bytes.length - shown.length;
    return decode.decode(shown, { stream: !isLast });
  };
}

// A token as a person reads it; a part of a character as its bytes.
function shownToken(tokenizer, token) {
  const bytes = tokenizer.piece(token);
  try {
    return visible(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return Array.from(bytes, byte => `<${byte.toString(16).toUpperCase().padStart(2, "0")}>`).join("");
  }
}

function withNewlines(text) {
  text = text.replaceAll("\r\n", "\n");
  return text.includes("\n") ? text : text.replaceAll("\r", "\n");
}

// The beginning of a text, for a model that goes on with it: `read_prompt` of `data/tokenizer.py`.
function readPrompt(tokenizer, text) {
  const { unknown, boundary, kind } = tokenizer;
  if (kind !== "bytes") text = withNewlines(text);
  let held = tokenizer.isSpaced && text.endsWith(" ") ? 1 : 0;
  const fits = token => token !== unknown && !(token === boundary && !text) && (!held || tokenizer.piece(token)[0] === 32);
  let suppressed = Array.from({ length: tokenizer.size }, (_, token) => token).filter(token => !fits(token));
  if (suppressed.length === tokenizer.size) {
    held = 0;
    suppressed = unknown === null ? [] : [unknown];
  } else text = text.slice(0, text.length - held);
  let read = boundary === null ? text || "\n" : text, tokens = tokenizer.encode(read);
  if (kind === "words" && read && tokens[0] === unknown && tokenizer.encode(" " + read)[0] !== unknown) {
    read = " " + read;
    tokens = tokenizer.encode(read);
  }
  const parts = unknown === null || !text ? [] : tokenizer.split(read).filter((_, index) => tokens[index] === unknown);
  if (boundary !== null) tokens = [boundary, ...tokens];
  return { tokens, held, suppressed, missing: [...new Set(parts.map(part => part.replace(/^ +| +$/g, "") || part))] };
}
