// What is done with the page of `explain` for sentiment, and with the same in the page of `serve`.
let root, data;

// Make live what stands in a document or a shadow root; `values` are those of `page_data` in page.py, one a text.
export function show(where, values) {
  [root, data] = [where, values];
  root.querySelectorAll(".one").forEach(listen);
}
// All text goes in as text, never as markup: what a model has read is nobody's promise.
const signed = value => value === null ? "not a number" : (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
const chance = value => value >= .9995 && value < 1 ? "> 99.9 %" : value > 0 && value < .0005 ? "< 0.1 %" : (100 * value).toFixed(1) + " %";

function told(text, word) {
  const effect = text.effects[word], parts = [`“${text.words[word]}”${text.known[word] ? "" : " (unknown to the model)"}: ${signed(effect)}`];
  parts[0] += `; without it the log-odds of ${text.target} are ${signed(text.odds - effect)} instead of ${signed(text.odds)}`;
  if (text.gradients) parts.push(`integrated gradients ${signed(text.gradients[word])}`);
  parts.push(`after it p(${text.target}) is ${chance(text.after[word])}`);
  for (const [first, second, both] of text.pairs)
    if (word === first || word === second) parts.push(`with “${text.words[word === first ? second : first]}” ${signed(both)} more than both alone`);
  return parts.join("; ");
}

function look(section, word) {
  const text = data[section.dataset.number], pairs = text.pairs.filter(pair => pair[0] === word || pair[1] === word);
  const partners = new Set(pairs.flatMap(pair => [pair[0], pair[1]]));
  for (const each of section.querySelectorAll("[data-word]")) {
    const own = Number(each.dataset.word);
    each.classList.toggle("at", own === word);
    each.classList.toggle("partner", own !== word && partners.has(own));
  }
  for (const arc of section.querySelectorAll(".arc"))
    arc.classList.toggle("dim", pairs.length > 0 && !arc.dataset.pair.split(" ").includes(String(word)));
  section.querySelector(".told").textContent = word === null ? "\u00a0" : told(text, word);
}

function listen(section) {
  const words = [...section.querySelectorAll(".word")];
  const wordOf = target => target.closest("[data-word]")?.dataset.word;
  for (const event of ["mouseover", "focusin"])
    section.addEventListener(event, ({ target }) => wordOf(target) !== undefined && look(section, Number(wordOf(target))));
  for (const box of [section.querySelector(".words"), section.querySelector(".scroll")])
    for (const event of ["mouseleave", "focusout"]) box.addEventListener(event, () => look(section, null));
  section.querySelector(".words").addEventListener("keydown", event => {
    const here = words.indexOf(root.activeElement);
    const there = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: words.length - 1 }[event.key];
    if (here < 0 || !words[there]) return;
    event.preventDefault();
    words[here].tabIndex = -1;
    words[there].tabIndex = 0;
    words[there].focus();
  });
}
