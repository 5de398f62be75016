// The view of the page of `explain` for music: a piano roll. Goes into its script, see page.html there.
const LANE = 6, LABELS = 40, CELLS = 34, WIDE = 1100;
view = {
  fill: fillRoll,
  name: noteName,
  units: `Notes are coloured by the activation after they were read; the strip above them shows all ${data.unit}s, those of one ` +
    "time side by side; black marks above it show where the feature holds.",
  surprisal: `A note is coloured by what all its ${data.unit}s cost together, the strip above by each.`,
};
document.head.append(make("style", `
  .roll { background: var(--box); border: 1px solid var(--line); border-radius: 6px; padding: .3rem .6rem; max-height: 46rem; overflow: auto; }
  .roll svg { display: block; border: 0; border-radius: 0; margin: .5rem 0; }
  .roll .shaded { fill: var(--ink); opacity: .05; } .roll .octave, .roll .beat { stroke: var(--line); stroke-width: .8; }
  .roll .bar { stroke: var(--faint); stroke-width: 1; } .roll .note { stroke: var(--faint); stroke-width: .8; }
  .roll .cell { stroke: var(--line); stroke-width: .3; } .roll .mark { fill: transparent; } .roll .mark.holds { fill: var(--ink); }
  .roll .note:hover, .roll .cell:hover { stroke: var(--ink); stroke-width: 1.6; } .roll .title { fill: var(--ink); font-weight: 600; }
`));

// A piano roll, a row of bars each an SVG: lanes, bars, notes, and above them a cell and a mark for every token.
function fillRoll(box, tip) {
  const { lanes, rows, spans, groups: notes } = data.view;
  const scale = (WIDE - LABELS) / Math.max(...rows.map(row => row.end - row.begin));
  const noteShapes = notes.map(() => []), cells = [], marks = [];
  box.className = "roll";
  for (const row of rows) {
    const inside = notes.flatMap((note, i) => note.onset < row.end && note.onset + note.duration > row.begin ? [i] : []);
    const low = row.lowest, high = row.highest;
    const head = row.bars[0].title ? 32 : 16, top = head + CELLS, bottom = top + (high - low + 1) * LANE;
    const x = tick => LABELS + (Math.max(row.begin, Math.min(tick, row.end)) - row.begin) * scale, y = lane => bottom - (lane - low + 1) * LANE;
    const svg = draw(box, "svg", { viewBox: `0 0 ${WIDE} ${bottom + 2}`, role: "img" });
    const end = x(row.bars.at(-1).end), line = (name, d) => draw(svg, "path", { class: name, d });
    const text = (name, left, base, words) => { draw(svg, "text", { class: name, x: left, y: base }).textContent = words; };
    text("title", LABELS, 12, row.bars[0].title);
    for (let lane = low; lane <= high; lane++) {
      if (lanes[lane].shaded) draw(svg, "rect", { class: "shaded", x: LABELS, y: y(lane), width: end - LABELS, height: LANE });
      if (lanes[lane].label) {
        line("octave", `M${LABELS} ${y(lane) + LANE}H${end}`);
        text("", 2, y(lane) + LANE, lanes[lane].label);
      }
    }
    for (const bar of row.bars) {
      for (let beat = bar.begin + bar.beat; beat < bar.end; beat += bar.beat) line("beat", `M${x(beat)} ${top}V${bottom}`);
      line("bar", `M${x(bar.begin)} ${top - 4}V${bottom}`);
      text("", x(bar.begin) + 2, head - 4, bar.number);
    }
    line("bar", `M${end} ${top}V${bottom}H${LABELS}V${top}Z`).setAttribute("fill", "none");
    for (const i of inside) {
      const { onset, duration, lane } = notes[i], left = x(onset) + .8;
      noteShapes[i].push(draw(svg, "rect", { class: "note", "data-note": i, x: left, y: y(lane) + .4, rx: 1,
        width: Math.max(1, x(onset + duration) - .8 - left), height: LANE - .8 }));
    }
    spans.forEach(([begin, after], i) => {
      if (begin < row.begin || begin >= row.end) return;
      const place = { x: x(begin), width: x(after) - x(begin) };
      marks[i] = draw(svg, "rect", { class: "mark", ...place, y: head, height: 6 });
      cells[i] = draw(svg, "rect", { class: "cell", "data-index": i, ...place, y: head + 8, height: 18 });
    });
  }
  box.addEventListener("mousemove", event => {
    const { note, index } = event.target.dataset;
    note !== undefined ? showTip(event, tip.group(Number(note))) : index !== undefined ? showTip(event, tip.token(Number(index))) : hideTip();
  });
  box.addEventListener("mouseleave", hideTip);
  return (colour, holds) => {
    cells.forEach((cell, index) => {
      cell.style.fill = colour.token(index);
      marks[index].setAttribute("class", holds(index) ? "mark holds" : "mark");
    });
    const row = marks.find((_, index) => holds(index))?.closest("svg");  // what is looked for may begin far below
    if (row) box.scrollTop += row.getBoundingClientRect().top - box.getBoundingClientRect().top;
    noteShapes.forEach((shapes, i) => shapes.forEach(shape => { shape.style.fill = colour.group(i); }));
  };
}
const SVG = make("div", "", { innerHTML: "<svg></svg>" }).firstChild.namespaceURI;
function draw(host, tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, typeof value === "number" ? +value.toFixed(2) : value);
  return host.appendChild(element);
}

// A note by name, and where it is: "C4 Soprano   bar 3, beat 2.5".
function noteName(i) {
  const { name, onset } = data.view.groups[i];
  const bar = data.view.rows.flatMap(row => row.bars).findLast(bar => bar.begin <= onset);
  return `${name}   bar ${bar.number}, beat ${+(1 + (onset - bar.begin) / bar.beat).toFixed(2)}`;
}
