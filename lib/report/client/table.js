/**
 * Tables that sort by a click on a heading; a second click reverses the order. Cells are compared by their data-value: numbers by
 * value, other text by the alphabet, with numbers inside it by value. Rows without a value come last in both orders.
 */
for (const table of document.querySelectorAll('table.sortable')) {
  for (const button of table.querySelectorAll('th button')) {
    button.addEventListener('click', () => {
      const heading = button.closest('th');
      const ascending = heading.getAttribute('aria-sort') !== 'ascending';
      for (const other of table.querySelectorAll('thead th')) other.setAttribute('aria-sort', 'none');
      heading.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
      const value = (row) => row.children[Number(button.dataset.column)].dataset.value;
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
    });
  }
}
