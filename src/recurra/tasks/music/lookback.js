// What comes next if a piece repeats itself: `lookback.py`.

const MEMORY = 2048, PASSAGE = 12, LAST_ORDER = 1000, REPEATED = [1, 8, 32];

class Lookback {
  constructor({ tokens, meters, lookback = [] }) {
    this.lags = lookback;
    this.bars = meters.map(barOf);
    this.firstShown = tokens.findIndex(({ kind }) => kind > METER);
    this.numbers = tokens.length - this.firstShown;
    this.width = this.numbers + REPEATED.length + 1;
  }

  first() {
    const zeros = () => this.lags.map(() => 0);
    return { bar: 0, tick: 0, metre: 0, order: 0, count: 0, places: zeros(), repeated: zeros(), memory: new Map() };
  }

  // Changes the state, of the piece that has begun; gives the features that are on.
  read(token, { kind, value }, state) {
    if (kind <= BARS || !this.lags.length) return [];
    const number = token - this.firstShown, track = kind === TRACK ? value + 1 : 0;
    if (kind > METER) this.remember(number, track, kind === STEP, state);
    if (kind === STEP) {
      const bar = this.bars[state.metre], tick = state.tick + value;
      Object.assign(state, { bar: state.bar + Math.floor(tick / bar), tick: tick % bar, order: 0 });
    } else if (kind === METER) Object.assign(state, { bar: state.bar + (state.tick > 0 ? 1 : 0), tick: 0, metre: value, order: 0 });
    state.places = this.lags.map((lag, index) => this.nextPlace(lag, index, number, track, kind, state));
    return this.lags.flatMap((_, index) => this.shown(index, state));
  }

  remember(number, track, steps, state) {
    const { bar, tick, count, memory } = state;
    state.repeated = state.repeated.map((repeated, index) => this.comes(index, state)?.number === number ? repeated + 1 : 0);
    state.order = Math.max(state.order, track);
    memory.set(count, { number, bar, tick, order: steps ? LAST_ORDER : state.order });
    memory.delete(count - MEMORY);
    state.count += 1;
  }

  nextPlace(lag, index, number, track, kind, state) {
    const place = state.places[index];
    if (lag === 0) return kind === METER ? place : state.repeated[index] ? place + 1 : this.passageAlike(state);
    if (kind !== STEP && kind !== METER && kind !== TRACK) return place + 1;
    const first = this.firstFrom(lag, state);
    return first + (track && state.memory.get(first)?.number === number ? 1 : 0);
  }

  // What is remembered at a place, which of a lag must be at the same place of its bar.
  comes(index, { bar, tick, places, memory }) {
    const lag = this.lags[index], place = places[index], its = memory.get(place);
    return its && (lag === 0 ? place > 0 : its.bar + lag === bar && its.tick === tick) ? its : undefined;
  }

  shown(index, state) {
    const its = this.comes(index, state), at = index * this.width;
    if (!its) return [];
    const rank = REPEATED.filter(least => state.repeated[index] >= least).length;
    return [at + its.number, at + this.numbers + rank];
  }

  // The number of the first remembered token that is not before this moment, a lag ago, and the order in it.
  firstFrom(lag, { bar, tick, order, count, memory }) {
    let low = Math.max(count - MEMORY, 0), high = count;
    while (low < high) {
      const middle = Math.floor((low + high) / 2), its = memory.get(middle);
      if ((its.bar + lag - bar || its.tick - tick || its.order - order) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The number of the token after the last earlier passage that ends with the same tokens; 0 if there is none.
  passageAlike({ count, memory }) {
    const passage = range(PASSAGE, 1).map(back => memory.get(count - back)?.number);
    for (let number = count - 1; number >= Math.max(count - MEMORY, 0) + PASSAGE; number--)
      if (passage.every((token, place) => memory.get(number - 1 - place).number === token)) return number;
    return 0;
  }
}
