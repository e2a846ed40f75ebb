// Buttons, keys, wheel and fingers of a chart.

const KEYS = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", 0: "reset", Home: "reset" };

function listen(chart) {
  const actions = {
    in: () => chart.zoom(0.5),
    out: () => chart.zoom(2),
    left: () => chart.move(-0.25),
    right: () => chart.move(0.25),
    reset: () => chart.reset(),
  };
  for (const button of chart.root.querySelectorAll("[data-do]")) {
    button.addEventListener("click", actions[button.dataset.do]);
  }
  chart.canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    actions[KEYS[event.key]]();
  });
  chart.canvas.addEventListener("dblclick", actions.reset);
  chart.canvas.addEventListener("wheel", (event) => wheel(chart, event), { passive: false });
  listenToPointers(chart);
  new ResizeObserver(() => chart.request()).observe(chart.canvas);
}

// With the whole run in view, the wheel's outward turn goes on to scroll the page.
function wheel(chart, event) {
  if (chart.isWhole && event.deltaY > 0) return;
  event.preventDefault();
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) chart.move(event.deltaX / chart.width);
  else chart.zoom(1.0015 ** event.deltaY, chart.second(event.offsetX));
}

// A mouse selects a stretch, with Shift it moves the curve; one finger moves it, two pinch.
function listenToPointers(chart) {
  const down = new Map();
  const place = (event) => clamp(event.offsetX, LEFT, chart.width - RIGHT);
  const on = (name, act) => chart.canvas.addEventListener(name, act);

  on("pointerdown", (event) => {
    const x = place(event);
    chart.canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, x);
    chart.pointer = { x, from: x, moving: event.shiftKey || event.pointerType === "touch" };
  });
  on("pointermove", (event) => {
    const x = place(event);
    const old = down.get(event.pointerId);
    if (down.size === 2 && old !== undefined) pinch(chart, down, event.pointerId, x);
    else if (old !== undefined && chart.pointer?.moving) chart.move((old - x) / (chart.width - LEFT - RIGHT));
    if (old !== undefined) down.set(event.pointerId, x);
    chart.pointer = { ...chart.pointer, x };
    chart.request();
  });
  const up = (event) => {
    const { from, moving, x } = chart.pointer || {};
    down.delete(event.pointerId);
    if (event.type === "pointerup" && from !== undefined && !moving && Math.abs(x - from) > 5) {
      chart.show(...[chart.second(from), chart.second(x)].sort((a, b) => a - b));
    }
    chart.pointer = x === undefined ? null : { x };
    chart.request();
  };
  on("pointerup", up);
  on("pointercancel", up);
  on("pointerleave", () => {
    chart.pointer = null;
    chart.request();
  });
}

function pinch(chart, down, moved, x) {
  const [, other] = [...down].find(([id]) => id !== moved);
  const apart = Math.max(10, Math.abs(x - other));
  chart.zoom(Math.max(10, Math.abs(down.get(moved) - other)) / apart, chart.second((x + other) / 2));
}
