// Sort the class by a column, and show only some students. Without this the page is complete, too.
'use strict';
(() => {
  const table = document.getElementById('class');
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const said = document.getElementById('said');
  const value = (row, i) => {
    const cell = row.cells[i];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  heads.forEach((head, i) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') === 'ascending';
      heads.forEach((h) => h.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const rows = [...body.rows].sort((a, b) => {
        const x = value(a, i), y = value(b, i);
        return typeof x === 'number' ? x - y : x.localeCompare(y);
      });
      body.append(...(down ? rows.reverse() : rows));
      said.textContent = `Sorted by ${button.textContent.trim()}, ${down ? 'descending' : 'ascending'}.`;
    });
  });
  const find = document.getElementById('find');
  find.parentElement.hidden = false;
  find.addEventListener('input', () => {
    const wanted = find.value.toLocaleLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      row.hidden = !row.cells[0].textContent.toLocaleLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    said.textContent = `${shown} of ${body.rows.length} students shown.`;
  });
})();
