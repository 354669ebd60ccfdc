/**
 * The section Plots. Each plot is a drawing that is shown without JavaScript: a wide one, and a narrow one for phones.
 * client/plots.js puts the plot that reacts to the pointer in its place.
 */
import type { ReportPlot } from '../data.ts';
import { Html, html, scriptJson } from '../html.ts';

/** @returns the content of the section */
export function figures(plots: readonly ReportPlot[]): Html {
  const isInteractive = plots.some(({ interactive }) => interactive);
  return html`${isInteractive && html`<p class="only-script">Point at a mark to see its run; a click leads to its row in the table. Zoom with the buttons, or with Ctrl and the wheel; drag to move.</p>`}
${plots.map(figure)}
${
  isInteractive &&
  html`<script type="application/json" id="plots-data">${scriptJson(Object.fromEntries(plots.map(({ name, interactive }) => [name, interactive])))}</script>
<div id="tooltip" class="tooltip" role="status" hidden></div>`
}`;
}

function figure({ name, svg, narrowSvg, caption, description, interactive, files = {} }: ReportPlot): Html {
  const links = Object.entries(files);
  return html`<figure id="plot-${name}" data-plot="${name}">
${interactive && toolbar(name)}
<div class="drawing" role="img" aria-label="${description ?? caption}"><div class="wide${!narrowSvg && ' always'}" aria-hidden="true">${new Html(svg)}</div>${narrowSvg && html`<div class="narrow" aria-hidden="true">${new Html(narrowSvg)}</div>`}</div>
<figcaption>${caption}${links.length > 0 && html` <span class="files">${links.map(([title, address]) => html`<a href="${address}" aria-label="${title} of the plot ${name}">${title}</a> `)}</span>`}</figcaption></figure>`;
}

/** Buttons to zoom, which client/plots.js shows. */
function toolbar(name: string): Html {
  const button = (action: string, label: string, text: string) =>
    html`<button type="button" data-zoom="${action}" aria-label="${label}" title="${label}">${text}</button>`;
  return html`<div class="zoom" role="group" aria-label="Zoom of the plot ${name}; arrow keys move it" hidden>${button('in', 'Zoom in', '+')}${button('out', 'Zoom out', '−')}${button('reset', 'Show all', '⟲')}</div>`;
}
