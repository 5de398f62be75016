// Words by cosine similarity: `nearest.py`.

const SHORTEST = 1e-30;

class Vectors {
  constructor({ words, lowercase }) {
    Object.assign(this, { words, lowercase, matrix: matrixOf("vectors") });
    this.numbers = new Map(words.map((word, index) => [word, index]));
    const squares = new Float64Array(words.length), { weights, scale, inputs, outputs } = this.matrix;
    for (let row = 0; row < inputs; row++) for (let word = 0; word < outputs; word++) squares[word] += weights[row * outputs + word] ** 2;
    this.scales = squares.map((square, word) => {
      const length = Math.sqrt(square) * (scale ? scale[word] : 1);
      return length < SHORTEST ? 0 : 1 / length;
    });
  }

  // The number of a word as it is, or else in small letters if all of them are.
  find(word) {
    return this.numbers.get(word) ?? (this.lowercase ? this.numbers.get(word.toLowerCase()) : undefined);
  }

  unit(word) {
    return this.matrix.column(word).map(value => value * this.scales[word]);
  }

  cosines(query) {
    const length = Math.hypot(...query), cosines = this.matrix.times(query);
    for (let word = 0; word < cosines.length; word++) cosines[word] = this.scales[word] ? cosines[word] * this.scales[word] / length : -Infinity;
    return cosines;
  }

  nearest(scores, asked, count) {
    for (const word of asked) scores[word] = -Infinity;
    return largest(scores, count).map(word => ({ word: this.words[word], score: scores[word] }));
  }

  similar(word, count) {
    return this.nearest(this.cosines(this.unit(word)), [word], count);
  }

  // What is to `c` as `b` is to `a`: the largest cosine with b - a + c (3CosAdd).
  analogy([a, b, c], count) {
    const [from, to, like] = [a, b, c].map(word => this.unit(word));
    return this.nearest(this.cosines(from.map((value, j) => to[j] - value + like[j])), [a, b, c], count);
  }

  // Words that are spelled nearly alike, the nearest first: one letter away, or two if the word is long.
  near(word) {
    const most = word.length < 5 ? 1 : 2, found = [];
    if (word.length < 2 || word.length > 40) return [];
    for (const other of this.words) {
      if (Math.abs(other.length - word.length) > most || other.length <= most) continue;
      const distance = spellingDistance(word, other);
      if (distance <= most) found.push([other, distance]);
    }
    return found.sort(([, a], [, b]) => a - b).slice(0, 3).map(([other]) => other);
  }
}

// Letters inserted, left out, replaced or swapped with the next (Damerau 1964, restricted).
function spellingDistance(a, b) {
  let before = null, above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (before && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    [before, above] = [above, row];
  }
  return above[b.length];
}
