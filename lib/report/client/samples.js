/**
 * The samples of the page. A score is drawn when it comes near the view, or before printing. The button of a sample plays it, and
 * the sounding notes are highlighted in the score.
 *
 * Expects: #samples-data with [{ score, narrowScore, notes }] as JSON, `.sample` elements with their index in data-sample, `window.ABCJS`, and
 * `window.player` (synth.js).
 */
const samples = JSON.parse(document.getElementById('samples-data').textContent);
const player = window.player;

/** Options of abcjs: the drawing scales to the width of the page, and uses fonts like the page's. */
const SCORE = {
  responsive: 'resize',
  add_classes: true,
  staffwidth: 960,
  scale: 0.85,
  paddingtop: 0,
  paddingbottom: 14,
  paddingleft: 4,
  paddingright: 4,
  format: { voicefont: 'sans-serif 12', tempofont: 'sans-serif 13', sysstaffsep: 34, staffsep: 62 },
};

/** For each card, its events by time: [milliseconds, elements of the notes that begin]. */
const timings = new WeakMap();

/** Same limit as in page.css. */
const phone = matchMedia('(max-width: 40rem)');

/** Draws the score of a card once, and records its timings. */
function draw(card) {
  const paper = card.querySelector('.paper');
  if (paper.childElementCount > 0) return;
  try {
    const { score, narrowScore } = samples[Number(card.dataset.sample)];
    const options = phone.matches ? { ...SCORE, staffwidth: 400, scale: 0.75 } : SCORE;
    const [tune] = window.ABCJS.renderAbc(paper, phone.matches ? narrowScore : score, options);
    // The card names the score; the title of the drawing would name it a second time.
    paper.firstElementChild?.setAttribute('aria-hidden', 'true');
    const { noteTimings } = new window.ABCJS.TimingCallbacks(tune, {});
    const events = noteTimings.filter(({ type, elements }) => type === 'event' && elements);
    timings.set(
      card,
      events.map(({ milliseconds, elements }) => [milliseconds, elements.flat()]),
    );
  } catch (error) {
    // abcjs may fail on a sample with errors. The sample can still be played, and its ABC read.
    if (paper.childElementCount === 0) paper.textContent = `This score cannot be drawn: ${error.message}`;
  }
}

/**
 * Highlights the notes that sound, and scrolls their system into view.
 *
 * @param card
 * @param {number} seconds position in the piece; negative removes the highlight
 */
function mark(card, seconds) {
  const events = timings.get(card) ?? [];
  const passed = events.findLast(([milliseconds]) => milliseconds <= 1000 * seconds + 20);
  if (card.marked === passed) return;
  for (const element of card.marked?.[1] ?? []) element.classList.remove('sounding');
  card.marked = passed;
  if (!passed) return;
  for (const element of passed[1]) element.classList.add('sounding');
  const [scroller, [first]] = [card.querySelector('.score'), passed[1]];
  if (!first || scroller.scrollHeight <= scroller.clientHeight) return;
  const [note, view] = [first.getBoundingClientRect(), scroller.getBoundingClientRect()];
  if (note.top < view.top || note.bottom + 60 > view.bottom) scroller.scrollTop += note.top - view.top - 60;
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

/** Seconds as m:ss. */
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
    mark(card, ended ? -1 : seconds);
    if (!ended) return;
    button.textContent = '▶';
    button.setAttribute('aria-label', `Play ${name}`);
    card.classList.remove('playing');
  };
  const start = (from) => {
    draw(card);
    player.play(notes, from, progress);
    button.textContent = '■';
    button.setAttribute('aria-label', `Stop ${name}`);
    card.classList.add('playing');
  };
  button.addEventListener('click', () => {
    if (card.classList.contains('playing')) player.stop();
    else start((seek.value / 1000) * length);
  });
  seek.addEventListener('input', () => {
    const from = (seek.value / 1000) * length;
    if (card.classList.contains('playing')) start(from);
    else show(from);
  });
}
