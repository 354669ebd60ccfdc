/**
 * What client/plots.js takes from Vega. This module is bundled with Vega, before it becomes a script of the page (vega-script.ts).
 * The interpreter of expressions is what lets plots run under a policy that forbids eval.
 */
import { parse, View } from 'vega';
import { expressionInterpreter } from 'vega-interpreter';

window.vega = { parse, View, expressionInterpreter };
