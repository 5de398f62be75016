// What every page needs. All text goes in as text, never as markup: what a model writes is nobody's promise.

const at = id => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    name in element ? (element[name] = value) : element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A token as a person reads it: what cannot be seen is named.
const visible = text => text === " " ? "␣" : text.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replace(/^ | $/g, "␣");

// A probability as people read it; never 100 % unless it is.
const percent = share => share >= .9995 && share < 1 ? "> 99.9 %" : share > 0 && share < .0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;

const round = (value, digits = 0) => value.toLocaleString("en", { maximumFractionDigits: digits });

function tell(text, isTrouble = false) {
  at("told").textContent = text;
  at("told").classList.toggle("trouble", isTrouble);
}

// The number in a field, or a sentence that says what is wrong with it.
function numberIn(id) {
  const field = at(id), value = Number(field.value), name = field.labels[0].firstChild.textContent.trim();
  if (field.value.trim() === "" || !Number.isFinite(value) || value < Number(field.min) || value > Number(field.max))
    throw new RangeError(`${name} must be a number from ${field.min} to ${field.max}.`);
  return value;
}

function wholeNumberIn(id) {
  const value = numberIn(id);
  if (!Number.isInteger(value)) throw new RangeError(`${at(id).labels[0].firstChild.textContent.trim()} must be a whole number.`);
  return value;
}

// The seed in the field, a fresh one if it is empty.
function seedIn(id) {
  const text = at(id).value.trim();
  if (text === "") return freshSeed();
  if (!/^\d{1,38}$/.test(text)) throw new RangeError("Seed must be a whole number of at most 38 digits, or nothing.");
  return BigInt(text);
}

// Takes steps until they end or `isStopped()`, a few milliseconds at a time, so that the page stays alive meanwhile.
async function inSlices(steps, isStopped, shown = () => {}) {
  const channel = new MessageChannel();
  const breath = () => new Promise(resolve => {
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });
  let drawn = performance.now();
  for (let isDone = false; !isDone && !isStopped();) {
    const begun = performance.now();
    while (!isDone && performance.now() - begun < 10) isDone = steps.next().done;
    if (isDone || performance.now() - drawn > 60) {
      shown();
      drawn = performance.now();
    }
    await breath();
  }
  shown();
  channel.port1.close();
}

// With Home, End and the arrow keys from one element to the next among the children of a box, of which Tab reaches one.
function arrowKeys(box, selector) {
  box.addEventListener("keydown", event => {
    const items = [...box.querySelectorAll(selector)], here = items.indexOf(document.activeElement);
    const there = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: items.length - 1 }[event.key];
    if (here < 0 || there === undefined || !items[there]) return;
    event.preventDefault();
    items[here].tabIndex = -1;
    items[there].tabIndex = 0;
    items[there].focus();
  });
}

// What stands after # in the address is put into a field and asked at once.
function askedAtOnce(id, ask) {
  let asked = "";
  try {
    asked = decodeURIComponent(location.hash.slice(1));
  } catch {
    return; // not written as addresses are
  }
  if (!asked) return;
  at(id).value = asked;
  ask();
}

// A file to keep.
function download(name, bytes, type) {
  const address = URL.createObjectURL(new Blob([bytes], { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

for (const [label, text] of Object.entries(data.facts)) at("facts").append(make("div", {}, make("dt", {}, label), make("dd", {}, text)));
