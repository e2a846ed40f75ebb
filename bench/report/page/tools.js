"use strict";
// Helpers of the page's scripts, which are joined into one. No library, no network; the data stand in the page.

const UNKNOWN = 65535;
const FULL = 65534;
const LEFT = 52;
const RIGHT = 8;
const TOP = 22;
const BOTTOM = 30;
const MIN_SPAN_S = 0.05;

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// Index of the last value that is not above x; -1 if all are.
function before(values, x) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function clock(s, step) {
  const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3;
  const unit = 10 ** digits;
  const whole = Math.round(s * unit) / unit;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = (whole % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return (hours ? `${hours}:${String(minutes).padStart(2, "0")}` : `${minutes}`) + `:${rest}`;
}

const STEPS_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30,
  60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
const timeStep = (span, ticks) => STEPS_S.find((s) => span / s <= ticks) || 86400;

function roundStep(span, ticks) {
  const power = 10 ** Math.floor(Math.log10(span / ticks));
  return [1, 2, 5, 10].map((x) => x * power).find((s) => span / s <= ticks) || 10 * power;
}

function line(pen, fromX, fromY, toX, toY) {
  pen.beginPath();
  pen.moveTo(fromX, fromY);
  pen.lineTo(toX, toY);
  pen.stroke();
}

// The colour of a configuration on the ground that is shown.
function tint(arm) {
  return isDark() ? arm.on_dark : arm.colour;
}
