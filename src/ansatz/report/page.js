// A click on a heading sorts its table; another click turns the order round.
for (const button of document.querySelectorAll("table.sortable thead button")) {
  button.addEventListener("click", () => {
    const heading = button.closest("th");
    const body = heading.closest("table").tBodies[0];
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[heading.cellIndex];
    const compare = (a, b) => {
      const [x, y] = [key(a).dataset.value, key(b).dataset.value];
      if (x !== undefined && y !== undefined) return Number(x) - Number(y);
      return key(a).textContent.localeCompare(key(b).textContent, undefined, { numeric: true });
    };
    const rows = [...body.rows].sort(compare);
    body.append(...(down ? rows.reverse() : rows));
  });
}
// Paper cannot be clicked: print what is folded.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
