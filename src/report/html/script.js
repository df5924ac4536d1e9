"use strict";
for (const table of document.querySelectorAll("table:not(.matrix)")) {
  const body = table.tBodies[0];
  if (!body || body.rows.length < 8) continue;
  const value = (row, at) => row.cells[at] ? row.cells[at].textContent.trim() : "";
  const number = (text) => Number(text.replaceAll(",", ""));
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    if (head.classList.contains("q")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const counts = head.classList.contains("n");
      const rows = [...body.rows].sort((a, b) => counts
        ? number(value(a, at)) - number(value(b, at))
        : value(a, at).localeCompare(value(b, at)));
      body.append(...(up ? rows : rows.reverse()));
    });
  });
  if (body.rows.length < 15) continue;
  const input = document.createElement("input");
  input.type = "search";
  input.className = "filter";
  input.placeholder = "Filter " + body.rows.length + " rows";
  input.setAttribute("aria-label", "Filter the rows of the table: " + (table.caption ? table.caption.textContent : ""));
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  table.parentNode.before(input);
}
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details.fold:not([open])")];
  for (const fold of closed) fold.open = true;
});
addEventListener("afterprint", () => { for (const fold of closed) fold.open = false; });
