// Recurrent networks, one step at a time. Weights are as in PyTorch, but input by input, so that a product adds up whole
// rows, which is what browsers run fastest; sums and states have 64 bits.

class Matrix {
  // weights: (inputs, outputs), row by row; scale: of each output, or null.
  constructor([inputs, outputs], weights, scale) {
    Object.assign(this, { inputs, outputs, weights, scale });
    this.sums = scale ? new Float64Array(outputs) : null;
  }

  // out += inputs W
  addProduct(inputs, out) {
    if (!this.scale) return addRows(this.weights, this.inputs, this.outputs, inputs, out);
    addRows(this.weights, this.inputs, this.outputs, inputs, this.sums.fill(0));
    for (let j = 0; j < this.outputs; j++) out[j] += this.scale[j] * this.sums[j];
    return out;
  }

  times(inputs) {
    return this.addProduct(inputs, new Float64Array(this.outputs));
  }

  // out += the weights of one input
  addRow(input, out) {
    for (let j = 0; j < this.outputs; j++) out[j] += (this.scale ? this.scale[j] : 1) * this.weights[input * this.outputs + j];
  }

  // The weights of one output: of an embedding, the vector of a token.
  column(output) {
    const scale = this.scale ? this.scale[output] : 1;
    return Float64Array.from({ length: this.inputs }, (_, i) => scale * this.weights[i * this.outputs + output]);
  }
}

// Eight rows a pass, so that `out` is loaded and stored less often.
function addRows(weights, rows, columns, inputs, out) {
  let i = 0;
  for (; i + 8 <= rows; i += 8) {
    const a = i * columns, b = a + columns, c = b + columns, d = c + columns, e = d + columns, f = e + columns, g = f + columns, h = g + columns;
    const x0 = inputs[i], x1 = inputs[i + 1], x2 = inputs[i + 2], x3 = inputs[i + 3];
    const x4 = inputs[i + 4], x5 = inputs[i + 5], x6 = inputs[i + 6], x7 = inputs[i + 7];
    for (let j = 0; j < columns; j++)
      out[j] += x0 * weights[a + j] + x1 * weights[b + j] + x2 * weights[c + j] + x3 * weights[d + j] +
        x4 * weights[e + j] + x5 * weights[f + j] + x6 * weights[g + j] + x7 * weights[h + j];
  }
  for (; i < rows; i++) {
    const row = i * columns, x = inputs[i];
    for (let j = 0; j < columns; j++) out[j] += x * weights[row + j];
  }
  return out;
}

const sigmoid = x => 1 / (1 + Math.exp(-x));

// What a cell makes of the sums of its inputs and of its recurrent ones, gates side by side in PyTorch's order, and of its
// state: the new state, of which the first part is the output.
const CELLS = {
  lstm(entering, recurrent, [, c]) {
    const size = c.length, hidden = new Float64Array(size), cell = new Float64Array(size);
    for (let j = 0; j < size; j++) {
      const gate = k => entering[j + k * size] + recurrent[j + k * size];
      cell[j] = sigmoid(gate(1)) * c[j] + sigmoid(gate(0)) * Math.tanh(gate(2));
      hidden[j] = sigmoid(gate(3)) * Math.tanh(cell[j]);
    }
    return [hidden, cell];
  },
  gru(entering, recurrent, [h]) {
    const size = h.length, hidden = new Float64Array(size);
    for (let j = 0; j < size; j++) {
      const reset = sigmoid(entering[j] + recurrent[j]), update = sigmoid(entering[j + size] + recurrent[j + size]);
      const fresh = Math.tanh(entering[j + 2 * size] + reset * recurrent[j + 2 * size]);
      hidden[j] = (1 - update) * fresh + update * h[j];
    }
    return [hidden];
  },
  "rnn": (entering, recurrent) => [entering.map((value, j) => Math.tanh(value + recurrent[j]))],
  "rnn-relu": (entering, recurrent) => [entering.map((value, j) => Math.max(value + recurrent[j], 0))],
};

class Layer {
  constructor(cell, name, end = "") {
    const part = name_ => `${name}${name_}_l0${end}`;
    this.cell = CELLS[cell];
    this.parts = cell === "lstm" ? 2 : 1;
    this.input = matrixOf(part("weight_ih"));
    this.hidden = matrixOf(part("weight_hh"));
    this.inputBias = vectorOf(part("bias_ih"));
    this.hiddenBias = vectorOf(part("bias_hh"));
  }

  zeroState() {
    return Array.from({ length: this.parts }, () => new Float64Array(this.hidden.inputs));
  }

  // The share that inputs have in the gates.
  entering(inputs) {
    return this.input.addProduct(inputs, Float64Array.from(this.inputBias));
  }

  step(entering, state) {
    return this.cell(entering, this.hidden.addProduct(state[0], Float64Array.from(this.hiddenBias)), state);
  }
}

const MOST_KEPT = 2 ** 22; // numbers of the first layer's shares that are kept, 32 MiB

// What the last tokens together add to the embedding of the last: see `runtime/ngrams.py`. `recent` are the tokens before,
// the last at the end, counted from 1, 0 before the beginning.
class NgramEmbedding {
  constructor({ largest, num_rows }) {
    Object.assign(this, { reach: largest - 1, rows: num_rows, table: matrixOf("ngram_embedding.table.weight") });
    this.map = isThere("ngram_embedding.map.weight") ? matrixOf("ngram_embedding.map.weight") : null;
  }

  read(token, recent) {
    const multiplier = 663608941, last = [...recent, token + 1], found = [];
    let state = token + 1;
    for (let back = 1; back <= this.reach; back++) {
      state = (Math.imul(state, multiplier) + last[this.reach - back]) >>> 0;
      const mixed = Math.imul(state ^ (state >>> 15), multiplier) >>> 0;
      const row = Number((BigInt(mixed) * BigInt(this.rows)) >> 32n);
      found.push(this.table.column((back - 1) * this.rows + row));
    }
    const side = this.map && Float64Array.from(found.flatMap(row => [...row]));
    return { added: this.map ? this.map.times(side) : found.reduce((sum, row) => sum.map((value, i) => value + row[i])), recent: last.slice(1) };
  }
}

class LanguageModel {
  constructor({ cell, layers, scale, ngrams }) {
    this.embedding = matrixOf("embedding.weight");
    this.scale = scale;
    this.ruleEmbedding = isThere("rule_embedding.weight") ? matrixOf("rule_embedding.weight") : null;
    this.layers = Array.from({ length: layers }, (_, index) => new Layer(cell, `recurrent.layers.${index}.`));
    this.projection = isThere("projection.weight") ? matrixOf("projection.weight") : null;
    this.output = isThere("output.weight") ? matrixOf("output.weight") : this.embedding;
    this.outputBias = vectorOf("output.bias");
    this.ngrams = ngrams ? new NgramEmbedding(ngrams) : null;
    this.kept = new Map(); // without n-grams, what the first layer makes of a token depends on nothing else
  }

  // Of each layer; with n-grams, then the tokens before.
  zeroState() {
    const layers = this.layers.map(layer => layer.zeroState());
    return this.ngrams ? [...layers, Array(this.ngrams.reach).fill(0)] : layers;
  }

  entering(token, added = null) {
    if (added) return this.layers[0].entering(this.embedding.column(token).map((value, i) => value * this.scale + added[i]));
    if (this.kept.has(token)) return this.kept.get(token);
    const entering = this.layers[0].entering(this.embedding.column(token).map(value => value * this.scale));
    if ((this.kept.size + 1) * entering.length <= MOST_KEPT) this.kept.set(token, entering);
    return entering;
  }

  // The logits of what comes after one more token, and the state; `more` is what else enters the first layer's gates.
  step(token, state, more = null) {
    const read = this.ngrams?.read(token, state.at(-1));
    let entering = this.entering(token, read?.added);
    if (more) entering = entering.map((value, j) => value + more[j]);
    const after = [];
    this.layers.forEach((layer, index) => {
      if (index) entering = layer.entering(after[index - 1][0]);
      after.push(layer.step(entering, state[index]));
    });
    const top = after.at(-1)[0];
    if (read) after.push(read.recent);
    const features = this.projection ? this.projection.times(top) : top;
    return { logits: this.output.addProduct(features, Float64Array.from(this.outputBias)), state: after };
  }

  read(tokens, state = this.zeroState()) {
    let stepped = { logits: null, state };
    for (const token of tokens) stepped = this.step(token, stepped.state);
    return stepped;
  }
}

function logSoftmax(logits) {
  const top = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  const normaliser = top + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return logits.map(value => value - normaliser);
}

// The indices of the largest values, the largest first, of equal ones the first; none of -Infinity.
function largest(values, count) {
  const best = [];
  for (let i = 0; i < values.length; i++) {
    if (values[i] === -Infinity || (best.length === count && values[i] <= values[best[count - 1]])) continue;
    let place = best.length;
    while (place && values[best[place - 1]] < values[i]) place--;
    best.splice(place, 0, i);
    best.length = Math.min(best.length, count);
  }
  return best;
}
