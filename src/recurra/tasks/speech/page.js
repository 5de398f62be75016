// What is done with the page of `explain` for speech, and with the same in the page of `serve`.
let root, data, audio, svg, told, cursor, stopAt;

// Make live what stands in a document or a shadow root; `values` are those of `page_data` in page.py.
export function show(where, values) {
  [root, data, stopAt] = [where, values, null];
  [audio, svg, told, cursor] = ["audio", ".heard", ".told", ".cursor"].map(each => root.querySelector(each));
  listen();
}

function mark(second) {
  cursor.setAttribute("x1", second / data.seconds * data.width);
  cursor.setAttribute("x2", second / data.seconds * data.width);
  for (const each of root.querySelectorAll("[data-word]")) {
    const [, start, end] = data.words[each.dataset.word];
    each.classList.toggle("at", second >= start && second < end);
  }
}
function tell(second) {
  const step = Math.min(Math.max(Math.floor(second / data.step), 0), data.told.length - 1);
  const parts = (data.told[step] ?? []).map(([symbol, probability]) => `${data.names[symbol]} ${(100 * probability).toFixed(1)} %`);
  told.textContent = `${(data.begin + second).toFixed(2)} s${parts.length ? ": " : ""}${parts.join(", ")}`;
}
function follow() {
  if (stopAt !== null && audio.currentTime >= stopAt) { audio.pause(); stopAt = null; }
  mark(audio.currentTime);
  if (!audio.paused) requestAnimationFrame(follow);
}
const secondOf = event => (event.clientX - svg.getBoundingClientRect().left) / data.width * data.seconds;

function listen() {
  audio.addEventListener("play", follow);
  audio.addEventListener("seeked", () => mark(audio.currentTime));
  svg.addEventListener("mousemove", event => tell(secondOf(event)));
  svg.addEventListener("click", event => { stopAt = null; audio.currentTime = secondOf(event); audio.play(); });
  for (const button of root.querySelectorAll(".word"))
    button.addEventListener("click", () => {
      const [text, start, end, sure] = data.words[button.dataset.word];
      audio.currentTime = start; stopAt = end; audio.play();
      told.textContent = `“${text}”, ${(data.begin + start).toFixed(2)} to ${(data.begin + end).toFixed(2)} s, ${(100 * sure).toFixed(1)} % sure`;
    });
}
