/**
 * Prints the tables of coverage in docs/scaling.md.
 *
 *   npm run bench -- scaling [STUDIES]    default 2,000 a row
 */
import { normal } from '../../test/scaling/example.ts';
import { coverage, DESIGNS, falseClaims, NOISES, TRUE_LAWS } from '../../test/scaling/simulate.ts';

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
