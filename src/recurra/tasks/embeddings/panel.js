// Word vectors in the page of `serve`: neighbours and analogies among all words, and a map of the most frequent ones.
import { ask, fragment, latest, make, python, pythonLines, valuesOf } from "/assets/kit.js";
import { mark, openMap } from "/assets/embeddings/map.js";

export const summary = "Knows which words are near each other, and solves analogies.";
export const styles = ["/assets/embeddings/map.css", "/assets/embeddings/panel.css"];
const PATH = "/v1/embeddings", COUNT = 10, MOST = 300;

const FORM = `
<div class="two">
  <section aria-labelledby="near"><h2 id="near">Neighbours</h2>
    <form class="ask words" id="similar"><div class="row"><label>Word <input name="word" autocapitalize="none" spellcheck="false"></label>
      <button class="main">Find</button></div></form>
    <ol id="neighbours-found" aria-labelledby="near" aria-live="polite"></ol></section>
  <section aria-labelledby="like"><h2 id="like">Analogy</h2>
    <form class="ask words" id="solve"><div class="row">
      <label>Word <input name="a" autocapitalize="none" spellcheck="false"></label><span>is to</span><label>word <input name="b" autocapitalize="none" spellcheck="false"></label></div>
      <div class="row"><label>as word <input name="c" autocapitalize="none" spellcheck="false"></label><span>is to</span><button class="main">What?</button></div></form>
    <ol id="answers-found" aria-labelledby="like" aria-live="polite"></ol></section>
</div>
<slot></slot>
<section class="map" aria-labelledby="map-head"><h2 id="map-head">Map</h2><p class="faint" id="map-about">The map is being drawn …</p><div id="map-host"></div></section>`;

export function open(panel) {
  const { root, model } = panel;
  root.append(fragment(FORM));
  const at = id => root.getElementById(id), places = new Map();
  let last = null;  // the word that was asked for last, and its neighbours, for a map that comes later

  const similar = latest(async signal => {
    const { word } = valuesOf(at("similar"));
    panel.refuse(null);
    if (!word?.trim()) return;
    const fields = { model: model.id, words: word.trim(), count: COUNT };
    const found = (await ask(`${PATH}/similar`, fields, { signal })).similar[0];
    list("neighbours-found", found.neighbours);
    panel.say(`Nearest to “${fields.words}”: ${found.neighbours.slice(0, 3).map(each => each.word).join(", ")}`);
    panel.asked({ path: `${PATH}/similar`, fields, python: pythonLines(model.id, `model.similar(${python(fields.words)}`, { count: COUNT }) });
    last = [fields.words, found.neighbours];
    onMap(...last);
  });
  const analogy = latest(async signal => {
    const words = valuesOf(at("solve"));
    panel.refuse(null);
    const fields = { model: model.id, a: words.a?.trim(), b: words.b?.trim(), c: words.c?.trim(), count: 5 };
    if (!fields.a || !fields.b || !fields.c) return panel.say("Three words are needed.");
    const found = await ask(`${PATH}/analogy`, fields, { signal });
    list("answers-found", found.answers);
    panel.say(`“${fields.a}” is to “${fields.b}” as “${fields.c}” is to “${found.answers[0]?.word ?? "nothing"}”`);
    panel.asked({ path: `${PATH}/analogy`, fields, python: pythonLines(model.id, `model.analogy(${[fields.a, fields.b, fields.c].map(python).join(", ")}`, { count: 5 }) });
  });
  const map = latest(async signal => {
    const wanted = ask(`${PATH}/map`, { model: model.id, count: Math.min(MOST, model.words), method: "t-sne" }, { signal });
    const body = await (await fetch("/assets/embeddings/map.html", { signal })).text(), found = await wanted;
    at("map-host").append(fragment(body));
    found.words.forEach((word, index) => places.set(word, index));
    openMap(root, { ...found, size: 0, vectors: "" }, { choose: index => look(found.words[index]), clear: () => mark([]) });
    if (last) onMap(...last);
    at("map-about").textContent = `The ${found.words.length.toLocaleString("en")} most frequent words. ${found.faithful}.`;
  });

  function list(id, found) {
    at(id).replaceChildren(...found.map(({ word, similarity }) => {
      const item = make("li"), button = make("button", "", { type: "button", onclick: () => look(word) });
      button.style.setProperty("--share", `${Math.max(0, 100 * Math.min(1, similarity)).toFixed(0)}%`);
      button.append(make("bdi", word), make("span", similarity.toFixed(3).replace("-", "−")));
      item.append(button);
      return item;
    }));
  }

  // Find the neighbours of a word that was pointed at.
  function look(word) {
    at("similar").elements.word.value = word;
    similar.start().catch(panel.refuse);
  }

  function onMap(word, found) {
    if (!places.has(word)) return;
    mark([word, ...found.map(each => each.word)].filter(each => places.has(each)).map(each => places.get(each)));
  }

  for (const [id, work] of [["similar", similar], ["solve", analogy]])
    at(id).addEventListener("submit", event => {
      event.preventDefault();
      work.start().catch(panel.refuse);
    });
  map.start().catch(error => { at("map-about").textContent = ""; panel.refuse(error); });
  return () => [similar, analogy, map].forEach(work => work.stop());
}
