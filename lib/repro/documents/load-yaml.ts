/** Loads the YAML library when it is first needed: importing it takes longer than starting Node. */
import type * as Yaml from './yaml.ts';

/** The module yaml.ts. */
export type YamlLibrary = typeof Yaml;
/** A document that keeps comments and layout. */
export type YamlDocument = Yaml.Document;

/** Returns the YAML library; the first call imports it. */
export function loadYaml(): Promise<YamlLibrary> {
  return import('./yaml.ts');
}
