// An encoder-decoder that attends, and the search for its best output: `models/decoder.py`, `decoding/beam_search.py`.

const addTo = (values, more) => { for (let j = 0; j < values.length; j++) values[j] += more[j]; return values; };
const scaled = (values, scale) => values.map(value => value * scale);
const affine = (inputs, matrix, bias) => matrix.addProduct(inputs, Float64Array.from(bias));
const joined = parts => { const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0)); let at = 0; for (const part of parts) { all.set(part, at); at += part.length; } return all; };

class EncoderDecoder {
  constructor({ cell, layers, scale, attention }) {
    const layerOf = (name, end) => new Layer(cell, name, end), count = Array.from({ length: layers }, (_, index) => index);
    Object.assign(this, { scale, attention, cell: CELLS[cell], parts: cell === "lstm" ? 2 : 1, depth: layers });
    this.sources = matrixOf("encoder.embedding.weight");
    this.encoder = count.map(index => ["", "_reverse"].map(end => layerOf(`encoder.recurrent.layers.${index}.`, end)));
    this.targets = isThere("decoder.embedding.weight") ? matrixOf("decoder.embedding.weight") : this.sources;
    for (const name of ["initial", "readout"]) this.take(name);
    if (attention !== "none") {
      for (const name of ["inputs", "hidden"]) this.take(name);
      this.context = matrixOf("decoder.context.weight");
      this.query = matrixOf("decoder.attention.query.weight");
      this.key = matrixOf("decoder.attention.key.weight");
      this.keyBias = isThere("decoder.attention.key.bias") ? vectorOf("decoder.attention.key.bias") : new Float32Array(this.key.outputs);
      this.score = isThere("decoder.attention.score") ? vectorOf("decoder.attention.score") : null;
    }
    const upper = attention === "none" ? layers : layers - 1;
    this.upper = count.slice(0, upper).map(index => layerOf(`decoder.upper_layers.layers.${index}.`));
    this.output = isThere("decoder.output.weight") ? matrixOf("decoder.output.weight") : this.targets;
    this.outputBias = vectorOf("decoder.output.bias");
  }

  take(name) {
    const weight = matrixOf(`decoder.${name}.weight`), bias = vectorOf(`decoder.${name}.bias`);
    this[name] = inputs => affine(inputs, weight, bias);
  }

  // Reads a sentence: what the decoder attends to, and its state before the first token.
  encode(tokens) {
    let inputs = tokens.map(token => scaled(this.sources.column(token), this.scale));
    for (const [forward, backward] of this.encoder) {
      const ahead = this.run(forward, inputs), back = this.run(backward, inputs.toReversed()).reverse();
      inputs = ahead.map((output, index) => joined([output, back[index]]));
    }
    const half = inputs[0].length / 2, summary = joined([inputs.at(-1).subarray(0, half), inputs[0].subarray(half)]);
    const memory = this.attention === "none" ? null : inputs.map(value => ({ value, key: affine(value, this.key, this.keyBias) }));
    const initial = this.initial(summary), size = initial.length / (this.parts * this.depth);
    const part = (index, layer) => initial.slice((index * this.depth + layer) * size, (index * this.depth + layer + 1) * size);
    const state = Array.from({ length: this.depth }, (_, layer) =>
      Array.from({ length: this.parts }, (_, index) => index ? part(index, layer) : part(index, layer).map(Math.tanh)));
    return { memory, state };
  }

  run(layer, inputs) {
    let state = layer.zeroState();
    return inputs.map(row => (state = layer.step(layer.entering(row), state))[0]);
  }

  // The log-probabilities of what comes after one more token, the state, and what was attended to.
  step(token, state, memory) {
    const embedded = scaled(this.targets.column(token), this.scale), after = [];
    let outputs = embedded, context = null, weights = null;
    if (memory) {
      const inputs = this.inputs(embedded), size = this.query.outputs, [h] = state[0];
      weights = this.attend(this.query.addProduct(h, inputs.slice(0, size)), memory);
      context = new Float64Array(memory[0].value.length);
      memory.forEach(({ value }, position) => { for (let j = 0; j < context.length; j++) context[j] += weights[position] * value[j]; });
      after.push(this.cell(this.context.addProduct(context, inputs.slice(size)), this.hidden(h), state[0]));
      [outputs] = after[0];
    }
    for (const layer of this.upper) {
      after.push(layer.step(layer.entering(outputs), state[after.length]));
      [outputs] = after.at(-1);
    }
    const features = this.readout(joined(context ? [outputs, context, embedded] : [outputs, embedded])).map(Math.tanh);
    return { logProbs: logSoftmax(affine(features, this.output, this.outputBias)), state: after, weights };
  }

  attend(query, memory) {
    const scores = memory.map(({ key }) => {
      let score = 0;
      if (this.score) for (let j = 0; j < key.length; j++) score += this.score[j] * Math.tanh(query[j] + key[j]);
      else for (let j = 0; j < key.length; j++) score += query[j] * key[j] / Math.sqrt(key.length);
      return score;
    });
    return logSoftmax(scores).map(Math.exp);
  }
}

// How many tokens of what is required an output lacks at most; see `decoding/constraints.py`.
function lacking(tokens, required) {
  const has = run => tokens.some((_, begin) => run.every((token, index) => tokens[begin + index] === token));
  const endsWith = (run, size) => run.slice(0, size).every((token, index) => tokens.at(index - size) === token);
  const begun = run => {
    for (let size = Math.min(run.length - 1, tokens.length); size > 0; size--) if (endsWith(run, size)) return size;
    return 0;
  };
  const left = required.map(forms => Math.min(...forms.map(run => has(run) ? 0 : run.length - begun(run))));
  const whole = required.map((forms, index) => left[index] ? Math.min(...forms.map(run => run.length)) : 0);
  return whole.reduce((sum, length) => sum + length, 0) + Math.min(0, ...left.map((length, index) => length - whole[index]));
}

const IMPOSSIBLE = -1e6;

// What an unfinished output may be continued by: the end first, then the most probable, `count` of them.
function continuations(row, stepped, { end, limit, unwritable, suppressed, required }, count) {
  const { logProbs } = stepped, isMet = !lacking(row.tokens, required);
  const going = (token, logProb) => ({
    row, stepped, token, logProb, total: row.total + Math.max(logProb, IMPOSSIBLE),
    bank: required.length ? lacking([...row.tokens, token], required) : 0,
  });
  const ending = isMet ? [going(end, logProbs[end])] : [];
  if (row.tokens.length >= limit) return ending;
  const possible = logProbs.slice(), named = new Set(required.flat(2));
  for (const token of [end, ...unwritable, ...suppressed]) possible[token] = -Infinity;
  const most = largest(possible, count + named.size).filter(token => !named.has(token));
  const others = [...named].sort((a, b) => a - b).filter(token => possible[token] > -Infinity).concat(most);
  return (logProbs[end] > -Infinity || !others.length ? ending : []).concat(others.map(token => going(token, possible[token])));
}

// The best outputs, the best first, ranked by their mean log-probability.
function* beamSearch(network, encoded, problem, beamSize) {
  const { end, start, required } = problem;
  const limit = Math.max(problem.limit, required.reduce((sum, forms) => sum + Math.min(...forms.map(run => run.length)), 0));
  let rows = [{ token: start, state: encoded.state, total: 0, tokens: [], logProbs: [], weights: [] }];
  const ranked = [];
  while (rows.length) {
    const going = [];
    for (const row of rows) {
      going.push(...continuations(row, network.step(row.token, row.state, encoded.memory), { ...problem, limit }, beamSize));
      yield null;
    }
    going.sort((a, b) => b.total - a.total);
    const taken = new Map(), isIn = ({ bank }) => (taken.set(bank, (taken.get(bank) ?? 0) + 1), taken.get(bank) <= beamSize);
    const chosen = going.filter(isIn).map(({ row, stepped, token, logProb, total }) => ({
      token, state: stepped.state, total, tokens: [...row.tokens, token], logProbs: [...row.logProbs, logProb], weights: [...row.weights, stepped.weights],
    }));
    for (const output of chosen.filter(({ token }) => token === end)) {
      output.score = output.total / output.tokens.length;
      const place = ranked.findIndex(other => other.score < output.score);
      ranked.splice(place < 0 ? ranked.length : place, 0, output);
      ranked.length = Math.min(ranked.length, beamSize);
    }
    const toBeat = ranked.length === beamSize ? ranked.at(-1).score : NaN;
    rows = chosen.filter(({ token, total }) => token !== end && !(total / (limit + 1) <= toBeat));
  }
  return ranked.map(({ tokens, logProbs, weights, score }) => ({ tokens: tokens.slice(0, -1), logProbs, weights: weights[0] ? weights : null, score }));
}
