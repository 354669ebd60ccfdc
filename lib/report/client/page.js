/** Marks the page as one with scripts, which shows what needs them, and lets buttons copy a text to the clipboard. */
document.documentElement.classList.add('has-script');

for (const button of document.querySelectorAll('button[data-copy]')) {
  const label = button.textContent;
  button.addEventListener('click', async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.innerText.trim());
      button.textContent = 'Copied';
    } catch {
      // Without the right to write to the clipboard, the text is selected, ready for Ctrl+C.
      getSelection().selectAllChildren(source);
      button.textContent = 'Selected';
    }
    setTimeout(() => {
      button.textContent = label;
    }, 2000);
  });
}
