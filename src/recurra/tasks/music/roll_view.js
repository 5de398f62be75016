// The view of the page of `explain` for music: a piano roll. Goes into its script after roll.js, see page.html there.
view = {
  fill: fillRoll,
  name: noteName,
  units: `Notes are coloured by the activation after they were read; the strip above them shows all ${data.unit}s, those of one ` +
    "time side by side; black marks above it show where the feature holds.",
  surprisal: `A note is coloured by what all its ${data.unit}s cost together, the strip above by each.`,
};

function fillRoll(box, tip) {
  box.className = "";
  const { noteShapes, cells, marks } = drawRoll(box, data.view);
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

// A note by name, and where it is: "C4 Soprano   bar 3, beat 2.5".
function noteName(i) {
  const { name, onset } = data.view.groups[i];
  const bar = data.view.rows.flatMap(row => row.bars).findLast(bar => bar.begin <= onset);
  return `${name}   bar ${bar.number}, beat ${+(1 + (onset - bar.begin) / bar.beat).toFixed(2)}`;
}
