/**
 * Prints the tables of coverage in docs/scaling.md.
 *
 *   npm run bench -- scaling [STUDIES]    default 2,000 a row
 */
import { normal } from '../../test/scaling/example.ts';
import {
  coverage,
  DESIGNS,
  falseClaims,
  NOISES,
  TOKEN_DESIGNS,
  TRUE_LAWS,
  TRUE_TOKEN_LAW,
  tokenCoverage,
} from '../../test/scaling/simulate.ts';

const studies = Number(process.argv[2] ?? 2000);
let seed = 0;
const three = (share: number) => (Number.isNaN(share) ? '–' : share.toFixed(3).replace(/^0/, ''));

console.log('| law | sizes × seeds | noise | given without c | α | α if c = 0 |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const [name, law] of Object.entries(TRUE_LAWS)) {
  for (const [designName, design] of Object.entries(DESIGNS)) {
    for (const noise of NOISES) {
      const { withoutFloor, alpha, alphaWithoutFloor } = coverage(law, design, noise, studies, normal(++seed));
      const cells = [name, designName, noise, three(withoutFloor), three(alpha), three(alphaWithoutFloor)];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
}

console.log('\n| law | sizes × seeds | noise | false claims |\n| --- | --- | --- | --- |');
for (const name of ['floor', 'no floor']) {
  for (const [designName, design] of Object.entries(DESIGNS)) {
    for (const noise of NOISES) {
      const claims = falseClaims(TRUE_LAWS[name], design, noise, Math.ceil(studies / 4), normal(++seed));
      console.log(`| ${[name, designName, noise, three(claims)].join(' | ')} |`);
    }
  }
}

console.log('\n| seeds of the five sizes | noise | correlation | refused | α | β | β/(α + β) |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const [name, seeds] of Object.entries(TOKEN_DESIGNS)) {
  for (const noise of NOISES) {
    for (const correlation of [0, 0.7]) {
      const random = normal(++seed);
      const shares = tokenCoverage(TRUE_TOKEN_LAW, seeds, noise, correlation, Math.ceil(studies / 10), random);
      const { refused, alpha, beta, optimalSize } = shares;
      console.log(`| ${[name, noise, correlation, ...[refused, alpha, beta, optimalSize].map(three)].join(' | ')} |`);
    }
  }
}
