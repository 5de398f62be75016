// Classifying texts: `light.py` and `hashing.py`.

const UNKNOWN = "\ufffd", UNKNOWN_WORD = 1, ALL = (1n << 64n) - 1n;

// The rows of a text's n-grams: FNV-1a in 64 bits, then MurmurHash3's finaliser.
class Hasher {
  constructor({ longest, bits }) {
    Object.assign(this, { longest, shift: BigInt(64 - bits), kept: new Map() });
  }

  row(ngram) {
    const name = ngram.join("\uffff");
    if (!this.kept.has(name)) {
      const bytes = ngram.flatMap((word, index) => index ? [0xff, ...utf8.encode(word)] : [...utf8.encode(word)]);
      let code = bytes.reduce((hash, byte) => ((hash ^ BigInt(byte)) * 0x100000001b3n) & ALL, 0xcbf29ce484222325n);
      for (const factor of [0xff51afd7ed558ccdn, 0xc4ceb9fe1a85ec53n]) code = ((code ^ (code >> 33n)) * factor) & ALL;
      this.kept.set(name, Number((code ^ (code >> 33n)) >> this.shift));
    }
    return this.kept.get(name);
  }

  rows(words) {
    const rows = new Set();
    for (let begin = 0; begin < words.length; begin++)
      for (let end = begin + 1; end <= Math.min(begin + this.longest, words.length); end++) rows.add(this.row(words.slice(begin, end)));
    return rows;
  }
}

class Ngrams {
  constructor(options, prefix) {
    this.hasher = new Hasher(options);
    this.table = matrixOf(prefix + "table");
    this.bias = vectorOf(prefix + "bias");
  }

  logits(words) {
    const { table: { weights, scale, outputs }, bias } = this, sums = new Float64Array(outputs);
    for (const row of this.hasher.rows(words)) for (let k = 0; k < outputs; k++) sums[k] += weights[row * outputs + k];
    for (let k = 0; k < outputs; k++) sums[k] = sums[k] * (scale ? scale[k] : 1) + bias[k];
    return outputs > 1 ? sums : Float64Array.of(-sums[0] / 2, sums[0] / 2);
  }
}

// Averaged word vectors, or a recurrent network over them.
class WordNetwork {
  constructor({ model, cell, layers, bidirectional, pooling, max_length: maxLength }, prefix) {
    Object.assign(this, { pooling: model === "average" ? "mean" : pooling, maxLength, bidirectional });
    this.learned = matrixOf(prefix + "embeddings.weight");
    this.given = isThere(prefix + "embeddings.given") ? matrixOf(prefix + "embeddings.given") : null;
    const ends = bidirectional ? ["", "_reverse"] : [""], count = model === "average" ? 0 : layers;
    this.layers = Array.from({ length: count }, (_, index) => ends.map(end => new Layer(cell, `${prefix}recurrent.layers.${index}.`, end)));
    this.output = matrixOf(prefix + "output.weight");
    this.outputBias = vectorOf(prefix + "output.bias");
    this.kept = [new Map(), new Map()]; // what the lowest layer makes of a word depends on nothing else
  }

  vector(token) {
    return token < this.learned.outputs ? this.learned.column(token) : this.given.column(token - this.learned.outputs);
  }

  logits(tokens) {
    const beginning = Math.floor(this.maxLength / 4);
    if (tokens.length > this.maxLength) tokens = [...tokens.slice(0, beginning), ...tokens.slice(tokens.length - this.maxLength + beginning)];
    let outputs = this.layers.length ? null : tokens.map(token => this.vector(token));
    for (const layers of this.layers) {
      const sides = layers.map((layer, side) => this.run(layer, outputs ? outputs.map(row => layer.entering(row)) : this.entering(layer, side, tokens), side));
      outputs = sides[0].map((row, index) => sides[1] ? Float64Array.of(...row, ...sides[1][index]) : row);
    }
    return this.output.addProduct(this.pooled(outputs), Float64Array.from(this.outputBias));
  }

  entering(layer, side, tokens) {
    return tokens.map(token => {
      if (!this.kept[side].has(token)) this.kept[side].set(token, layer.entering(this.vector(token)));
      return this.kept[side].get(token);
    });
  }

  run(layer, entering, fromTheEnd) {
    let state = layer.zeroState();
    const rows = (fromTheEnd ? entering.toReversed() : entering).map(row => (state = layer.step(row, state))[0]);
    return fromTheEnd ? rows.reverse() : rows;
  }

  pooled(outputs) {
    const last = outputs.at(-1);
    if (this.pooling === "last") return this.bidirectional ? last.map((value, j) => j < last.length / 2 ? value : outputs[0][j]) : last;
    if (this.pooling === "max") return last.map((_, j) => outputs.reduce((most, row) => Math.max(most, row[j]), -Infinity));
    return last.map((_, j) => outputs.reduce((sum, row) => sum + row[j], 0) / outputs.length);
  }
}

class Classifier {
  constructor({ labels, words, splitter }, network) {
    Object.assign(this, { labels, splitter, temperature: network.temperature });
    this.numbers = new Map(words.map((word, index) => [word, index + UNKNOWN_WORD + 1]));
    const isMix = network.model === "mix";
    this.network = network.model === "ngrams" ? null : new WordNetwork(network, isMix ? "network." : "");
    this.ngrams = isMix || network.model === "ngrams" ? new Ngrams(network, isMix ? "ngrams." : "") : null;
    this.shares = isMix ? vectorOf("weights") : [1, 1];
  }

  split(text) { return splitWords(text.replace(/<br\s*\/?>/gi, " "), this.splitter); }

  knows(word) { return this.ngrams !== null || this.numbers.has(word); }

  // The calibrated logits of a text as words.
  logits(words) {
    const tokens = words.length ? words.map(word => this.numbers.get(word) ?? UNKNOWN_WORD) : [UNKNOWN_WORD];
    const parts = [this.network?.logits(tokens), this.ngrams?.logits(words)];
    return Float64Array.from(this.labels, (_, label) =>
      parts.reduce((sum, part, index) => part ? sum + this.shares[index] * part[label] : sum, 0) / this.temperature);
  }

  probabilities(words) { return logSoftmax(this.logits(words)).map(Math.exp); }
}

// The log-odds of one label.
function logOdds(logits, target) {
  const others = logits.filter((_, label) => label !== target), most = Math.max(...others);
  return logits[target] - most - Math.log(others.reduce((sum, value) => sum + Math.exp(value - most), 0));
}
