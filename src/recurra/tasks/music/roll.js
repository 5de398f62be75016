// A piano roll, for the pages of `explain` and of `serve`.
const LANE = 6, LABELS = 40, CELLS = 34, WIDE = 1100;

// Draw a roll into a box, a row of bars each an SVG: lanes, bars, notes, and above them a cell and a mark for every span of a
// token, if there are any. Gives back the shapes of each note, which may be in several rows, the cells and the marks.
export function drawRoll(box, { lanes, rows, spans, groups: notes }) {
  const scale = (WIDE - LABELS - 4) / Math.max(...rows.map(row => row.end - row.begin));
  const noteShapes = notes.map(() => []), cells = [], marks = [];
  box.classList.add("roll");
  for (const row of rows) {
    const inside = notes.flatMap((note, i) => note.onset < row.end && note.onset + note.duration > row.begin ? [i] : []);
    const low = row.lowest, high = row.highest;
    const head = row.bars[0].title ? 32 : 16, top = head + (spans.length ? CELLS : 0), bottom = top + (high - low + 1) * LANE;
    const x = tick => LABELS + (Math.max(row.begin, Math.min(tick, row.end)) - row.begin) * scale, y = lane => bottom - (lane - low + 1) * LANE;
    const svg = draw(box, "svg", { viewBox: `0 0 ${WIDE} ${bottom + 2}`, role: "img",
      "aria-label": `bars ${row.bars[0].number} to ${row.bars.at(-1).number}` });
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
  return { noteShapes, cells, marks };
}

const SVG = Object.assign(document.createElement("div"), { innerHTML: "<svg></svg>" }).firstChild.namespaceURI;
function draw(host, tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, typeof value === "number" ? +value.toFixed(2) : value);
  return host.appendChild(element);
}
