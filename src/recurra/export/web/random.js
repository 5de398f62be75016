// Random numbers and draws as Recurra has them (NumPy's SeedSequence and PCG64), so that a seed means the same here.

const WORD = 0xffffffff, WIDE = (1n << 128n) - 1n;

function wordsOf(value) {
  const words = [];
  for (let rest = BigInt(value); rest > 0n || !words.length; rest >>= 32n) words.push(Number(rest & 0xffffffffn));
  return words;
}

// NumPy's SeedSequence: a pool of four words that all words of seed and key are mixed into.
function seedWords(seed, key, count) {
  const entropy = wordsOf(seed);
  while (entropy.length < 4) entropy.push(0); // so that the words of a key are not taken for those of a seed
  entropy.push(...key.flatMap(wordsOf));
  let constant = 0x43b0d7e5;
  const hash = word => {
    word ^= constant;
    constant = Math.imul(constant, 0x931e8875);
    word = Math.imul(word, constant);
    return (word ^ (word >>> 16)) >>> 0;
  };
  const mix = (x, y) => {
    const mixed = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y) | 0;
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
  const pool = entropy.slice(0, 4).map(hash);
  for (let from = 0; from < 4; from++)
    for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
  for (const word of entropy.slice(4)) for (let to = 0; to < 4; to++) pool[to] = mix(pool[to], hash(word));
  let other = 0x8b51f9dd;
  return Array.from({ length: count }, (_, index) => {
    let word = pool[index % 4] ^ other;
    other = Math.imul(other, 0x58f38ded);
    word = Math.imul(word, other);
    return (word ^ (word >>> 16)) >>> 0;
  });
}

// PCG64 (O'Neill 2014): `random` gives the numbers in [0, 1) of NumPy's default generator.
class Generator {
  constructor(seed, key = [0]) {
    const words = seedWords(seed, key, 8).map(BigInt);
    const wide = first => (((words[first + 1] << 32n) | words[first]) << 64n) | (words[first + 3] << 32n) | words[first + 2];
    this.increment = ((wide(4) << 1n) | 1n) & WIDE;
    this.state = 0n;
    this.advance();
    this.state = (this.state + wide(0)) & WIDE;
    this.advance();
  }

  advance() {
    this.state = (this.state * 0x2360ed051fc65da44385df649fccf645n + this.increment) & WIDE;
  }

  random() {
    this.advance();
    const mixed = (this.state >> 64n) ^ (this.state & 0xffffffffffffffffn), turn = this.state >> 122n;
    const bits = ((mixed >> turn) | (mixed << (64n - turn))) & 0xffffffffffffffffn;
    return Number(bits >> 11n) / 2 ** 53;
  }
}

const freshSeed = () => Math.floor(Math.random() * 1e6);

// Draw a token: of logits divided by the temperature, among the `topK` most probable (0: all), of these among the most
// probable that together have `topP`. Temperature 0 takes the most probable one. -Infinity marks what must not come.
function draw(logits, { temperature, topK, topP }, uniform) {
  const [first] = largest(logits, 1), top = logits[first];
  if (!Number.isFinite(top)) throw new Error("the model's numbers are no numbers any more");
  if (!temperature) return first;
  const weights = logits.map(value => (value - top) / temperature < -87 ? 0 : Math.exp((value - top) / temperature));
  if ((topK > 0 && topK < logits.length) || topP < 1) {
    const order = Array.from(logits.keys()).filter(token => weights[token] > 0).sort((a, b) => logits[b] - logits[a] || a - b);
    for (const token of topK > 0 ? order.splice(topK) : []) weights[token] = 0;
    const wanted = topP * order.reduce((sum, token) => sum + weights[token], 0);
    let reached = 0;
    for (const token of order) {
      if (topP < 1 && reached >= wanted) weights[token] = 0;
      reached += weights[token];
    }
  }
  const target = uniform * weights.reduce((sum, weight) => sum + weight, 0);
  let reached = 0, last = first;
  for (let token = 0; token < weights.length; token++) {
    if (!weights[token]) continue;
    reached += weights[last = token];
    if (reached > target) break;
  }
  return last;
}
