/**
 * Plots that react to the pointer. A plot is drawn by Vega when it comes near the view, and takes the place of its drawing. Its
 * expressions are interpreted, because the policy of the page forbids eval.
 *
 * Pointing at a mark shows its values and highlights its run in all plots and in the table; a click leads to its row. The buttons,
 * the arrow keys beside them, and the wheel with Ctrl zoom and move; so does dragging with the mouse.
 *
 * Expects: #plots-data with { NAME: { wide: { spec, panels }, narrow } } as JSON, figures with data-plot, #tooltip, `window.vega`
 * (vega-script.ts). `panels` are the axes that can be zoomed: see lib/plots/output/interactive.ts.
 */
const plots = JSON.parse(document.getElementById('plots-data').textContent);
const tooltip = document.getElementById('tooltip');
/** Same limit as in page.css: below it, narrow drawings are shown. */
const phone = matchMedia('(max-width: 40rem)');
/** Share of the domain that remains after one step of zooming in. */
const ZOOM_STEP = 0.7;
/** Share of the domain by which an arrow key moves. */
const MOVE_STEP = 0.15;
/** The smallest share of the first domain that can be shown. */
const MIN_SHARE = 0.02;

/** The rows of the table of runs, by run. */
const rows = new Map(
  [...document.querySelectorAll('table.sortable tbody tr')].map((row) => [row.children[0].dataset.value, row]),
);

/** The drawn plots, by name. */
const drawn = new Map();

/** Draws a plot in its figure, and shows its buttons. */
async function draw(figure) {
  const name = figure.dataset.plot;
  const layout = phone.matches && plots[name].narrow ? 'narrow' : 'wide';
  const before = drawn.get(name);
  if (before?.layout === layout) return;
  before?.view?.finalize();
  const plot = { ...plots[name][layout], layout, domains: [] };
  drawn.set(name, plot);
  const drawing = figure.querySelector('.drawing');
  const live = document.createElement('div');
  live.className = 'live';
  live.setAttribute('aria-hidden', 'true');
  plot.view = new vega.View(vega.parse(plot.spec, null, { ast: true }), {
    expr: vega.expressionInterpreter,
    renderer: 'svg',
    logger: loggerOf((error) => {
      plot.fault = error;
    }),
    tooltip: (_handler, event, _item, value) => showTooltip(event, value),
  });
  plot.view.initialize(live);
  await plot.view.runAsync();
  if (plot.fault !== undefined) {
    // The drawing stays.
    plot.view.finalize();
    plot.view = undefined;
    console.error(`The plot ${name} cannot be drawn: ${plot.fault}`);
    return;
  }
  const svg = live.querySelector('svg');
  // As wide as the drawing; the aspect stays.
  svg.setAttribute('viewBox', `0 0 ${svg.getAttribute('width')} ${svg.getAttribute('height')}`);
  svg.removeAttribute('width');
  svg.removeAttribute('height');
  drawing.querySelector('.live')?.remove();
  drawing.append(live);
  drawing.classList.add('is-live');
  listen(figure, plot);
}

/** A logger of Vega that passes on errors: Vega does not throw them. */
function loggerOf(onError) {
  const logger = { level: () => logger, warn: () => logger, info: () => logger, debug: () => logger };
  logger.error = (error) => {
    onError(error);
    return logger;
  };
  return logger;
}

/** Shows the values of a mark beside the pointer, or hides them. */
function showTooltip(event, value) {
  if (value === null || value === undefined || value === '') {
    tooltip.hidden = true;
    return;
  }
  const list = document.createElement('dl');
  for (const [key, text] of Object.entries(value)) {
    const [term, detail] = [document.createElement('dt'), document.createElement('dd')];
    term.textContent = key;
    detail.textContent = String(text);
    list.append(term, detail);
  }
  tooltip.replaceChildren(list);
  tooltip.hidden = false;
  const { clientX = 0, clientY = 0 } = event.changedTouches?.[0] ?? event;
  const { width, height } = tooltip.getBoundingClientRect();
  const left = Math.min(clientX + 14, innerWidth - width - 8);
  const top = clientY + 18 + height > innerHeight ? clientY - height - 12 : clientY + 18;
  tooltip.style.left = `${Math.max(8, left)}px`;
  tooltip.style.top = `${Math.max(8, top)}px`;
}

/** Highlights a run in all plots and in the table; '' for none. */
function highlight(run) {
  for (const { view } of drawn.values())
    if (view && view.signal('hovered') !== run) view.signal('hovered', run).runAsync();
  for (const [name, row] of rows) row.classList.toggle('hovered', name === run);
}

/** The panel below the pointer: its position in `panels`, and the pointer's place in it as shares of its width and height. */
function panelAt(plot, event) {
  let group = event.vega?.item;
  while (
    group &&
    !(group.mark?.marktype === 'group' && group.width > 0 && (isPanel(group) || plot.panels.length === 1))
  )
    group = group.mark?.group;
  if (!group) return undefined;
  const [x, y] = event.vega.xy(group);
  const index = plot.panels.length === 1 ? 0 : Number(/(\d+)_group$/.exec(group.mark.name)[1]);
  return { index, at: { x: x / group.width, y: 1 - y / group.height }, size: group };
}

/** Whether a group is a panel of several: Vega-Lite names them concat_0_group, concat_1_group, … */
function isPanel(group) {
  return /\d_group$/.test(group.mark.name ?? '');
}

/** A value on the axis as a number that grows evenly along it, and back. */
const toAxis = ({ log }, value) => (log ? Math.log(value) : value);
const fromAxis = ({ log }, value) => (log ? Math.exp(value) : value);

/**
 * Changes the shown domain of both axes of a panel.
 *
 * @param change from the two ends of an axis, as numbers that grow evenly along it, to new ones
 */
function change(plot, index, change) {
  plot.domains[index] ??= {};
  for (const channel of ['x', 'y']) {
    const axis = plot.panels[index][channel];
    if (!axis) continue;
    const first = axis.domain.map((value) => toAxis(axis, value));
    const now = plot.domains[index][channel] ?? first;
    let [low, high] = change(channel, now);
    const [full, span] = [first[1] - first[0], high - low];
    if (span < MIN_SHARE * full) continue;
    if (span >= full) [low, high] = first;
    else {
      // The shown part stays within the first domain.
      const shift = Math.max(0, first[0] - low) + Math.min(0, first[1] - high);
      [low, high] = [low + shift, high + shift];
    }
    const isAll = low <= first[0] && high >= first[1];
    plot.domains[index][channel] = isAll ? undefined : [low, high];
    plot.view.signal(axis.signal, isAll ? null : [low, high].map((value) => fromAxis(axis, value)));
  }
  plot.view.runAsync();
}

/** Zooms one panel around a place. */
function zoomPanel(plot, index, factor, at = { x: 0.5, y: 0.5 }) {
  change(plot, index, (channel, [low, high]) => {
    const centre = low + at[channel] * (high - low);
    return [centre - (centre - low) * factor, centre + (high - centre) * factor];
  });
}

/** Moves one panel by shares of what it shows. */
function movePanel(plot, index, by) {
  change(plot, index, (channel, [low, high]) => {
    const step = by[channel] * (high - low);
    return [low + step, high + step];
  });
}

/** Shows all of a plot again. */
function reset(plot) {
  for (const [index] of plot.panels.entries()) change(plot, index, () => [-Infinity, Infinity]);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Makes a plot react to the pointer and to its buttons. */
function listen(figure, plot) {
  const { view } = plot;
  view.addEventListener('pointermove', (_, item) => highlight(item?.datum?.run ?? ''));
  view.addEventListener('pointerout', () => highlight(''));
  view.addEventListener('click', (_, item) => {
    const row = rows.get(item?.datum?.run);
    if (!row) return;
    row.scrollIntoView({ block: 'center' });
    row.classList.add('found');
    setTimeout(() => row.classList.remove('found'), 2500);
  });
  if (!plot.panels.some(({ x, y }) => x || y)) return;

  view.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    const panel = panelAt(plot, event);
    if (!panel) return;
    event.preventDefault();
    zoomPanel(plot, panel.index, event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, panel.at);
  });
  let dragged;
  view.addEventListener('pointerdown', (event) => {
    if (event.pointerType !== 'mouse' || event.button !== 0) return;
    const panel = panelAt(plot, event);
    dragged = panel && { ...panel, x: event.clientX, y: event.clientY };
  });
  view.addEventListener('pointermove', (event) => {
    if (!dragged || event.buttons !== 1) return;
    // Pixels of the screen per pixel of the plot.
    const svg = figure.querySelector('.live svg');
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const { size, index } = dragged;
    const by = {
      x: (dragged.x - event.clientX) / scale / size.width,
      y: (event.clientY - dragged.y) / scale / size.height,
    };
    [dragged.x, dragged.y] = [event.clientX, event.clientY];
    movePanel(plot, index, by);
  });

  const toolbar = figure.querySelector('.zoom');
  toolbar.hidden = false;
  if (toolbar.dataset.listens) return;
  toolbar.dataset.listens = 'yes';
  // The figure may be drawn again in its other layout, so the plot is looked up.
  const current = () => drawn.get(figure.dataset.plot);
  toolbar.addEventListener('click', ({ target }) => {
    const action = target.closest('button')?.dataset.zoom;
    if (action === 'reset') reset(current());
    else if (action)
      for (const index of current().panels.keys())
        zoomPanel(current(), index, action === 'in' ? ZOOM_STEP : 1 / ZOOM_STEP);
  });
  toolbar.addEventListener('keydown', (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    for (const index of current().panels.keys())
      movePanel(current(), index, { x: arrow[0] * MOVE_STEP, y: arrow[1] * MOVE_STEP });
  });
}

const figures = [...document.querySelectorAll('figure[data-plot]')].filter(({ dataset }) => plots[dataset.plot]);
const nearby = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) draw(target);
  },
  { rootMargin: '300px' },
);
for (const figure of figures) nearby.observe(figure);
phone.addEventListener('change', () => {
  for (const figure of figures) if (drawn.has(figure.dataset.plot)) draw(figure);
});

for (const [run, row] of rows) {
  row.addEventListener('pointerenter', () => highlight(run));
  row.addEventListener('pointerleave', () => highlight(''));
}
addEventListener('scroll', () => showTooltip({}, null), { passive: true });
document.addEventListener('keydown', ({ key }) => key === 'Escape' && showTooltip({}, null));
