// Power over time: what is seen of it, and how it is drawn.

class Chart {
  constructor(root) {
    const data = JSON.parse(root.querySelector("script[data-power]").textContent);
    this.root = root;
    this.data = data;
    this.canvas = root.querySelector("canvas.plot");
    this.start = new Float32Array(bytes(data.start));
    for (const name of ["low", "mean", "high"]) this[name] = new Uint16Array(bytes(data[name]));
    this.phases = data.phases && {
      start: new Float32Array(bytes(data.phases.start)),
      lengths: new Uint16Array(bytes(data.phases.lengths)),
      unit: data.phases.unit_s,
    };
    this.slotStarts = data.slots.map((slot) => slot[0]);
    this.full = [this.start[0], Math.max(data.end_s, this.start[0] + MIN_SPAN_S)];
    this.view = [...this.full];
    this.pointer = null;
    this.legend();
    listen(this);
    root.hidden = false;
    this.draw();
  }

  // What is seen ------------------------------------------------------------------------------

  show(from, to) {
    const whole = this.full[1] - this.full[0];
    const span = clamp(to - from, Math.min(MIN_SPAN_S, whole), whole);
    const middle = (from + to) / 2;
    const start = clamp(middle - span / 2, this.full[0], this.full[1] - span);
    this.view = [start, start + span];
    this.request();
  }

  zoom(factor, at = (this.view[0] + this.view[1]) / 2) {
    const [from, to] = this.view;
    const span = clamp((to - from) * factor, MIN_SPAN_S, this.full[1] - this.full[0]);
    const start = at - ((at - from) / (to - from)) * span;
    this.show(start, start + span);
  }

  move(share) {
    const by = (this.view[1] - this.view[0]) * share;
    this.show(this.view[0] + by, this.view[1] + by);
  }

  get isWhole() {
    return this.view[1] - this.view[0] >= (this.full[1] - this.full[0]) * 0.999;
  }

  reset() {
    this.show(...this.full);
  }

  request() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  // Places ------------------------------------------------------------------------------------

  x(s) {
    return LEFT + ((s - this.view[0]) / (this.view[1] - this.view[0])) * (this.width - LEFT - RIGHT);
  }

  y(stored) {
    return this.floor - ((stored / FULL) * this.data.scale_w / this.top) * (this.floor - TOP);
  }

  second(x) {
    return this.view[0] + ((x - LEFT) / (this.width - LEFT - RIGHT)) * (this.view[1] - this.view[0]);
  }

  // Drawing -----------------------------------------------------------------------------------

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const box = this.canvas.getBoundingClientRect();
    if (!box.width) return;
    [this.width, this.height] = [box.width, box.height];
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    this.step = roundStep(this.data.scale_w * 1.08, 6);
    this.top = Math.ceil((this.data.scale_w * 1.02) / this.step) * this.step;
    this.lane = this.data.arms.length > 10 ? 4 : 8;
    this.lanes = this.height - BOTTOM - this.lane * (this.data.arms.length + 1);
    this.floor = this.lanes - 6;
    this.axes(pen);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, this.width - LEFT - RIGHT, this.height - BOTTOM);
    pen.clip();
    this.shade(pen);
    this.shadePhases(pen);
    this.curve(pen);
    this.pick(pen);
    pen.restore();
    this.tell();
  }

  axes(pen) {
    const [from, to] = this.view;
    const floor = this.floor;
    pen.strokeStyle = colour("--plot-grid");
    pen.fillStyle = colour("--muted");
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (let watts = 0; watts <= this.top + this.step / 2; watts += this.step) {
      const y = Math.round(floor - (watts / this.top) * (floor - TOP)) + 0.5;
      line(pen, LEFT, y, this.width - RIGHT, y);
      pen.fillText(`${+watts.toPrecision(6)}${watts ? "" : " W"}`, LEFT - 6, y);
    }
    const step = timeStep(to - from, Math.max(2, this.width / 110));
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (let s = Math.ceil(from / step) * step; s <= to; s += step) {
      const x = Math.round(this.x(s)) + 0.5;
      line(pen, x, this.height - BOTTOM, x, this.height - BOTTOM + 4);
      pen.fillText(clock(s, step), clamp(x, LEFT, this.width - 28), this.height - BOTTOM + 8);
    }
  }

  // What ran when: a thin lane for each configuration and one for idle, so that the curve stays free.
  shade(pen) {
    const row = (number) => this.lanes + number * this.lane;
    const alpha = parseFloat(colour("--slot-alpha"));
    for (const [from, to, arm, block] of this.data.slots) {
      if (to < this.view[0] || from > this.view[1]) continue;
      const [x, width] = [this.x(from), Math.max(1, this.x(to) - this.x(from))];
      pen.fillStyle = tint(this.data.arms[arm]);
      pen.fillRect(x, row(arm), width, this.lane - 1);
      if (width < 60) continue;
      pen.globalAlpha = alpha;
      pen.fillRect(x, TOP, width, this.floor - TOP);
      pen.globalAlpha = 1;
      this.name(pen, `${this.data.arms[arm].label}, block ${block}`, x, width);
    }
    pen.fillStyle = colour("--muted");
    for (const [from, to] of this.data.idle) {
      const x = this.x(from);
      pen.fillRect(x, row(this.data.arms.length), Math.max(1, this.x(to) - x), this.lane - 1);
    }
  }

  name(pen, text, x, width) {
    const left = Math.max(x, LEFT);
    const room = Math.min(x + width, this.width - RIGHT) - left;
    if (room < 60 && text.length * 6 > room) return;
    pen.fillStyle = colour("--muted");
    pen.textAlign = "left";
    pen.textBaseline = "alphabetic";
    if (pen.measureText(text).width <= room) pen.fillText(text, left, TOP - 9);
  }

  shadePhases(pen) {
    this.phasesShown = false;
    if (!this.phases) return;
    const { start, lengths, unit } = this.phases;
    const first = Math.max(0, before(start, this.view[0]));
    const last = before(start, this.view[1]);
    if (last < first || (this.width - LEFT) / (last - first + 1) < 2.5) return;
    this.phasesShown = true;
    const floor = this.floor;
    const colours = ["--gate", "--prefill", "--decode"].map(colour);
    for (let i = first; i <= last; i += 1) {
      let at = start[i];
      for (let phase = 0; phase < 3; phase += 1) {
        const next = at + lengths[3 * i + phase] * unit;
        pen.fillStyle = colours[phase];
        pen.fillRect(this.x(at), floor - 10, Math.max(0.5, this.x(next) - this.x(at)), 10);
        at = next;
      }
    }
  }

  // One column of pixels holds the range of all its bins, so that no peak is lost.
  curve(pen) {
    const first = Math.max(0, before(this.start, this.view[0]));
    const last = Math.min(this.start.length - 1, before(this.start, this.view[1]));
    const columns = [];
    for (let i = first; i <= last; i += 1) {
      const x = Math.max(LEFT - 1, Math.floor(this.x(this.start[i])));
      const known = this.mean[i] !== UNKNOWN;
      const old = columns[columns.length - 1];
      if (known && old && old.known && old.x === x) {
        old.low = Math.min(old.low, this.low[i]);
        old.high = Math.max(old.high, this.high[i]);
        old.sum += this.mean[i];
        old.count += 1;
      } else {
        columns.push({ x, known, low: this.low[i], high: this.high[i], sum: this.mean[i], count: 1 });
      }
    }
    const end = (i) => (i + 1 < columns.length ? columns[i + 1].x : this.x(this.view[1]));
    pen.fillStyle = colour("--plot-band");
    columns.forEach((c, i) => {
      if (c.known) pen.fillRect(c.x, this.y(c.high), Math.max(1, end(i) - c.x), this.y(c.low) - this.y(c.high));
    });
    pen.strokeStyle = colour("--plot-line");
    pen.lineWidth = 1.3;
    pen.beginPath();
    let drawn = false;
    columns.forEach((c, i) => {
      if (c.known) {
        const y = this.y(c.sum / c.count);
        if (drawn) pen.lineTo(c.x, y);
        else pen.moveTo(c.x, y);
        pen.lineTo(end(i), y);
      }
      drawn = c.known;
    });
    pen.stroke();
  }

  pick(pen) {
    if (!this.pointer) return;
    const { x, from, moving } = this.pointer;
    pen.strokeStyle = colour("--accent");
    pen.lineWidth = 1;
    line(pen, x, TOP, x, this.height - BOTTOM);
    if (from !== undefined && !moving) {
      pen.fillStyle = colour("--accent");
      pen.globalAlpha = 0.2;
      pen.fillRect(Math.min(from, x), TOP, Math.abs(x - from), this.height - BOTTOM - TOP);
      pen.globalAlpha = 1;
    }
  }

  // Words -------------------------------------------------------------------------------------

  tell() {
    const [from, to] = this.view;
    const step = (to - from) / 100;
    const text = `${clock(from, step)} to ${clock(to, step)} of ${clock(this.full[1], 1)}`;
    const range = this.root.querySelector("[data-range]");
    if (range.textContent !== text) range.textContent = text;
    this.root.dataset.from = from.toFixed(3);
    this.root.dataset.to = to.toFixed(3);
    for (const item of this.root.querySelectorAll("[data-phase]")) item.hidden = !this.phasesShown;
    if (this.pointer) this.root.querySelector("[data-readout]").textContent = this.at(this.second(this.pointer.x));
  }

  at(s) {
    const i = before(this.start, s);
    const watts = (stored) => `${((stored / FULL) * this.data.scale_w).toFixed(2)} W`;
    const parts = [clock(s, 0.1)];
    if (i < 0 || this.mean[i] === UNKNOWN) parts.push("not measured");
    else if (this.low[i] === this.high[i]) parts.push(watts(this.mean[i]));
    else parts.push(`${watts(this.mean[i])} (${watts(this.low[i])} to ${watts(this.high[i])})`);
    const slot = this.data.slots[before(this.slotStarts, s)];
    if (slot && s <= slot[1]) parts.push(`${this.data.arms[slot[2]].label}, block ${slot[3]}`);
    else if (this.data.idle.some(([from, to]) => from <= s && s <= to)) parts.push("idle");
    const phase = this.phase(s);
    if (phase) parts.push(phase);
    return `${parts.join(" · ")} · ${this.data.label}`;
  }

  phase(s) {
    const i = this.phases ? before(this.phases.start, s) : -1;
    if (i < 0) return null;
    let at = this.phases.start[i];
    for (const [number, name] of ["gate", "prefill", "decode"].entries()) {
      at += this.phases.lengths[3 * i + number] * this.phases.unit;
      if (s <= at) return name;
    }
    return null;
  }

  legend() {
    const list = this.root.querySelector("[data-legend]");
    const add = (text, paint, isPhase) => {
      const item = document.createElement("li");
      const swatch = document.createElement("canvas");
      [swatch.width, swatch.height] = [32, 26];
      swatch.setAttribute("aria-hidden", "true");
      const pen = swatch.getContext("2d");
      pen.fillStyle = paint(pen);
      pen.fillRect(0, 0, 32, 26);
      const label = document.createElement("bdi");
      label.textContent = text;
      item.append(swatch, label);
      if (isPhase) item.dataset.phase = text;
      list.append(item);
    };
    list.replaceChildren();
    for (const arm of this.data.arms) add(arm.label, () => tint(arm), false);
    add("idle", () => colour("--muted"), false);
    if (this.phases) for (const name of ["gate", "prefill", "decode"]) add(name, () => colour(`--${name}`), true);
  }
}
