"use strict";
// Without this script the page says the same; with it the table sorts and searches.
const table = document.getElementById("packages");
const body = table.tBodies[0];
const rows = Array.from(body.rows);
const said = document.getElementById("found");

for (const head of table.tHead.rows[0].cells) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.cells[head.cellIndex].dataset.value ?? row.cells[head.cellIndex].textContent;
    const compare = head.classList.contains("number")
      ? (a, b) => Number(value(a)) - Number(value(b))
      : (a, b) => value(a).localeCompare(value(b), "en", { numeric: true });
    rows.sort((a, b) => (up ? compare(a, b) : compare(b, a)));
    body.append(...rows);
  });
}

const search = document.getElementById("search");
document.getElementById("searching").hidden = false;
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    if (!row.hidden) shown += 1;
  }
  said.textContent = words.length ? `${shown} of ${rows.length}` : "";
});
