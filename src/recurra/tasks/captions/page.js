// What is done with the page of `explain` for captions, and with the same in the page of `serve`.

// Make live the pictures that stand in a document or a shadow root.
export function show(root) {
  root.querySelectorAll(".one").forEach(listen);
}

function listen(section) {
  const stage = section.querySelector(".stage"), words = [...section.querySelectorAll(".word")];
  let kept = null;
  const show = word => {
    const veil = word && word.querySelector("img");
    stage.replaceChildren(...(veil ? [veil.cloneNode()] : []));
    for (const each of words) each.setAttribute("aria-pressed", String(each === word));
  };
  const keep = word => {
    kept = word; show(word);
    if (word) for (const each of words) each.tabIndex = each === word ? 0 : -1;
  };
  words.forEach((word, index) => {
    word.addEventListener("mouseenter", () => show(word));
    word.addEventListener("mouseleave", () => show(kept));
    word.addEventListener("click", () => keep(word));
    word.addEventListener("focus", () => keep(word));
    word.addEventListener("keydown", event => {
      const forward = getComputedStyle(word.parentElement).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
      const to = { ArrowLeft: index - 1, ArrowRight: index + 1, ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: words.length - 1 };
      if (event.key === "Escape") keep(null);
      let next = to[event.key];
      if (next === undefined) return;
      if (forward === "ArrowLeft" && event.key.match(/Left|Right/)) next = 2 * index - next;
      event.preventDefault();
      const other = words[Math.min(Math.max(next, 0), words.length - 1)];
      other.focus(); keep(other);
    });
  });
}
