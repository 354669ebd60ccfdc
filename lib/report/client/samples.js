/** The samples: a score is drawn when it comes into view (or before printing), and its buttons play it. */
const samples = JSON.parse(document.getElementById('samples-data').textContent);
const player = window.player;

function draw(card) {
  const paper = card.querySelector('.score');
  if (paper.childElementCount > 0) return;
  const { score } = samples[Number(card.dataset.sample)];
  try {
    window.ABCJS.renderAbc(paper, score, {
      responsive: 'resize',
      staffwidth: 900,
      scale: 0.85,
      paddingleft: 4,
      paddingright: 4,
    });
  } catch (error) {
    paper.textContent = `This score cannot be drawn: ${error.message}`;
  }
}

const cards = [...document.querySelectorAll('.sample')];
const watcher = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) draw(target);
  },
  { rootMargin: '400px' },
);
for (const card of cards) watcher.observe(card);
window.addEventListener('beforeprint', () => {
  for (const card of cards) if (card.closest('details.run').open) draw(card);
});

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

for (const card of cards) {
  const button = card.querySelector('.play');
  if (!button) continue;
  const [seek, time] = [card.querySelector('.seek'), card.querySelector('.time')];
  const { notes } = samples[Number(card.dataset.sample)];
  const length = notes.reduce((end, [start, duration]) => Math.max(end, start + duration), 0) / 1000;
  const name = card.getAttribute('aria-label');
  const show = (seconds) => {
    time.textContent = `${clock(seconds)} / ${clock(length)}`;
  };
  show(0);

  const progress = (seconds, ended) => {
    seek.value = String(ended ? 0 : (1000 * seconds) / length);
    show(seconds);
    if (!ended) return;
    button.textContent = '▶';
    button.setAttribute('aria-label', `Play ${name}`);
    card.classList.remove('playing');
  };
  const start = (from) => {
    player.play(notes, from, progress);
    button.textContent = '■';
    button.setAttribute('aria-label', `Stop ${name}`);
    card.classList.add('playing');
  };
  button.addEventListener('click', () =>
    card.classList.contains('playing') ? player.stop() : start((seek.value / 1000) * length),
  );
  seek.addEventListener('input', () => {
    const from = (seek.value / 1000) * length;
    if (card.classList.contains('playing')) start(from);
    else show(from);
  });
}
