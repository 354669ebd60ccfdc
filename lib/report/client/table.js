/**
 * Tables that sort by a click on a heading; a second click reverses the order. Cells are compared by their data-value: numbers by
 * value, other text by the alphabet, with numbers inside it by value. Rows without a value come last in both orders. A phone shows
 * no headings, so the `.sorter` before a table has a list of the columns and a button that reverses the order.
 */
for (const table of document.querySelectorAll('table.sortable')) {
  const headings = [...table.querySelectorAll('thead th')];
  const [select, reverse] = table.closest('section').querySelectorAll('.sorter select, .sorter button');

  /** Sorts by a column, in ascending order unless it is sorted so already. */
  const sort = (column) => {
    const heading = headings[column];
    const ascending = heading.getAttribute('aria-sort') !== 'ascending';
    for (const other of headings) other.setAttribute('aria-sort', 'none');
    heading.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
    if (select) select.value = String(column);
    const value = (row) => row.children[column].dataset.value;
    const body = table.tBodies[0];
    body.append(
      ...[...body.rows].sort((rowA, rowB) => {
        const [a, b] = [value(rowA), value(rowB)];
        if (a === '' || b === '') return (a === '') - (b === '');
        const order =
          a !== '' && !Number.isNaN(Number(a)) ? Number(a) - Number(b) : a.localeCompare(b, 'en', { numeric: true });
        return ascending ? order : -order;
      }),
    );
  };
  for (const button of table.querySelectorAll('th button'))
    button.addEventListener('click', () => sort(Number(button.dataset.column)));
  select?.addEventListener('change', () => {
    headings[Number(select.value)].setAttribute('aria-sort', 'none');
    sort(Number(select.value));
  });
  reverse?.addEventListener('click', () => sort(Number(select.value)));
}

// A table laid out as cards loses its roles in browsers, so they are named.
for (const table of document.querySelectorAll('table.cards')) {
  table.setAttribute('role', 'table');
  for (const [selector, role] of [
    ['thead, tbody', 'rowgroup'],
    ['tr', 'row'],
    ['thead th', 'columnheader'],
    ['tbody th', 'rowheader'],
    ['td', 'cell'],
  ])
    for (const part of table.querySelectorAll(selector)) part.setAttribute('role', role);
}
