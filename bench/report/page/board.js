"use strict";
// Sorts the tables of a board by the column whose heading is pressed, and chooses the theme. No library, no network.

const cells = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();

function compared(one, other) {
  if (one === "" || other === "") return (one === "") - (other === ""); // not measured stands last either way
  const numbers = [Number(one), Number(other)];
  return numbers.some(Number.isNaN) ? one.localeCompare(other) : numbers[0] - numbers[1];
}

function sort(heading) {
  const table = heading.closest("table");
  const column = heading.cellIndex;
  const descending = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => {
    const [one, other] = [cells(a, column), cells(b, column)];
    return (descending && one !== "" && other !== "" ? -1 : 1) * compared(one, other);
  });
  table.tBodies[0].append(...rows);
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sort(button.closest("th")));
}

const theme = document.querySelector("[data-theme-button]");
const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
const dressed = () => { theme.textContent = isDark() ? "Light theme" : "Dark theme"; };
theme.hidden = false;
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  dressed();
});
system.addEventListener("change", dressed);
dressed();
