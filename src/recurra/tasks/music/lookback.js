// What comes next if a piece repeats itself: `lookback.py`.

const MEMORY = 2048, PASSAGE = 12, LAST_ORDER = 1000, REPEATED_SHOWN = [1, 8, 32];

class Lookback {
  constructor({ tokens, lookback = [] }) {
    this.lags = lookback;
    this.firstShown = tokens.findIndex(({ kind }) => kind > METER);
    this.width = tokens.length - this.firstShown + REPEATED_SHOWN.length + 1;
  }

  first() { return { count: 0, order: 0, places: this.lags.map(() => 0), repeated: this.lags.map(() => 0), memory: new Map() }; }

  // Changes the state; gives the features that are on, of a token that was read at `before` and leads to `after`.
  read(token, { kind, value }, before, after, state) {
    if (kind <= BARS) return [];
    const { memory, places, repeated } = state, remembered = kind > METER, number = token - this.firstShown;
    const track = kind === TRACK ? value + 1 : 0, begins = kind === STEP || !remembered;
    state.order = Math.max(state.order, track);
    if (remembered) {
      this.lags.forEach((lag, index) => { repeated[index] = this.expected(places[index], lag, before, memory) === number ? repeated[index] + 1 : 0; });
      memory.set(state.count, { token: number, ...before, order: kind === STEP ? LAST_ORDER : state.order });
      memory.delete(state.count - MEMORY);
      state.count += 1;
    }
    if (begins) state.order = 0;
    return this.lags.flatMap((lag, index) => {
      if (lag === 0) {
        if (remembered) places[index] = repeated[index] ? places[index] + 1 : this.passageAlike(state);
      } else if (begins || track) {
        const found = this.firstFrom(state, { bar: after.bar - lag, tick: after.tick, order: state.order });
        places[index] = found + (track && memory.get(found)?.token === number ? 1 : 0);
      } else places[index] += 1;
      const comes = this.expected(places[index], lag, after, memory), at = index * this.width;
      if (comes < 0) return [];
      return [at + comes, at + this.width - REPEATED_SHOWN.length - 1 + REPEATED_SHOWN.filter(least => repeated[index] >= least).length];
    });
  }

  // The remembered token at a place, which of a lag must be at the same place of its bar; -1 if there is none.
  expected(place, lag, { bar, tick }, memory) {
    const entry = memory.get(place);
    if (!entry || (lag === 0 ? place === 0 : entry.bar + lag !== bar || entry.tick !== tick)) return -1;
    return entry.token;
  }

  // The number of the first remembered token that is not before a moment and an order in it.
  firstFrom({ count, memory }, { bar, tick, order }) {
    let low = Math.max(count - MEMORY, 0), high = count;
    while (low < high) {
      const middle = Math.floor((low + high) / 2), its = memory.get(middle);
      if ((its.bar - bar || its.tick - tick || its.order - order) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The number of the token after the last passage that ends with the same tokens; 0 if there is none.
  passageAlike({ count, memory }) {
    const oldest = Math.max(count - MEMORY, 0);
    for (let number = count - 1; number >= oldest + PASSAGE; number--) {
      let alike = 0;
      while (alike < PASSAGE && memory.get(number - 1 - alike).token === memory.get(count - 1 - alike).token) alike++;
      if (alike === PASSAGE) return number;
    }
    return 0;
  }
}
