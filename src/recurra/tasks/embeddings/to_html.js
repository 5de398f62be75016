// Neighbours and analogies: as `tasks/embeddings/model.py` finds them.

const vectors = new Vectors(data);
const COUNT = 15;

// The numbers of words, or a sentence about one that is not there.
function numbersOfWords(...words) {
  return words.map(typed => {
    const word = typed.trim(), number = vectors.find(word);
    if (!word) throw new RangeError("A word is missing; type one.");
    if (number === undefined) {
      const near = vectors.near(vectors.lowercase ? word.toLowerCase() : word);
      throw new RangeError(`There is no word “${word.slice(0, 40)}” here; ${near.length ? `did you mean ${near.join(", ")}?` : "check its spelling, or ask for another."}`);
    }
    if (!vectors.scales[number]) throw new RangeError(`“${word}” has a zero vector, which is near nothing; ask for another.`);
    return number;
  });
}

const similar = (word, count = COUNT) => vectors.similar(...numbersOfWords(word), count);
const analogy = (a, b, c, count = COUNT) => vectors.analogy(numbersOfWords(a, b, c), count);

function show(title, found) {
  at("found").hidden = false;
  at("asked").textContent = title;
  at("rows").replaceChildren(...found.map(({ word, score }, index) => {
    const bar = make("span", { className: "bar", ariaHidden: "true" }), ask = () => { at("word").value = word; answer("similar"); };
    bar.style.width = `${(6 * Math.max(0, score)).toFixed(2)}rem`;
    const button = make("button", { type: "button", onclick: ask }, make("bdi", {}, word));
    return make("tr", {}, make("td", {}, index + 1), make("td", {}, button), make("td", {}, score.toFixed(3)), make("td", {}, bar));
  }));
  tell(found.length ? `The nearest: ${found.slice(0, 3).map(({ word }) => word).join(", ")}.` : "There is no other word.");
}

function answer(name) {
  try {
    const [word, a, b, c] = ["word", "a", "b", "c"].map(id => at(id).value);
    if (name === "similar") show(`Neighbours of ${word.trim()}`, similar(word));
    else show(`${a.trim()} is to ${b.trim()} as ${c.trim()} is to …`, analogy(a, b, c));
  } catch (error) {
    at("found").hidden = true;
    tell(error.message, true);
  }
}

for (const name of ["similar", "analogy"]) at(name).addEventListener("submit", event => { event.preventDefault(); answer(name); });
at("left-out").textContent = data.left_out;
tell(`Ready: ${round(vectors.words.length)} words.`);
askedAtOnce("word", () => answer("similar"));
