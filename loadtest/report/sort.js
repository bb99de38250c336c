"use strict";
// The headings of a table of class "sortable" become buttons. The first press sorts the rows upwards, the next one
// downwards; rows without a number stay at the end.
const number = cell => cell.dataset.number;
const compare = (one, other) => number(one) === undefined
  ? one.textContent.localeCompare(other.textContent, "en", { numeric: true })
  : number(one) - number(other);

for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach(other => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const lacks = cell => number(cell) === undefined;
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [one, other] = [a.cells[column], b.cells[column]];
        return lacks(one) - lacks(other) || (down ? -1 : 1) * compare(one, other);
      });
      table.tBodies[0].append(...rows);
    });
  });
}
