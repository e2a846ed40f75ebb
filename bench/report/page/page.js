// The choice of theme, and the start of every chart.

const charts = [...document.querySelectorAll("[data-chart]")].map((root) => new Chart(root));
const button = document.querySelector("[data-theme-button]");

function dressed() {
  button.textContent = isDark() ? "Light theme" : "Dark theme";
  for (const chart of charts) {
    chart.legend();
    chart.draw();
  }
}

button.hidden = false;
button.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  dressed();
});
system.addEventListener("change", dressed);
dressed();
