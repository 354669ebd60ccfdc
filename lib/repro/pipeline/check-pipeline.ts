/** Checks pipeline.yaml against its schema, lib/repro/pipeline/pipeline.schema.json. */
import { checkWith, isMapping, type Json, type KeyPath, type SourceDocument } from '../documents/index.ts';
import { type Problem, ReproError, suggestion } from '../messages/index.ts';

/** @throws ReproError with every problem found, each with its place */
export async function checkPipeline(document: SourceDocument): Promise<void> {
  const problems = mappingsInCommands(document);
  if (problems.length > 0) throw new ReproError(problems);
  checkWith(document, (await import('./pipeline-validator.ts')).validate);
}

/** Mappings among commands that are no `{argv: …}`. Most come of a `: ` in a command without quotes. */
function mappingsInCommands(document: SourceDocument): Problem[] {
  const stages = (document.value as { stages?: Json } | null)?.stages;
  if (!isMapping(stages)) return [];
  return Object.entries(stages).flatMap(([name, definition]) =>
    [definition, isMapping(definition) ? definition.do : undefined].flatMap((body, isDo) => {
      if (!isMapping(body)) return [];
      const path: KeyPath = ['stages', name, ...(isDo ? ['do'] : []), 'cmd'];
      const { cmd } = body;
      const entries: [Json, KeyPath][] = Array.isArray(cmd)
        ? cmd.map((entry, i) => [entry, [...path, i]])
        : [[cmd, path]];
      return entries.flatMap(([entry, place]) => {
        if (!isMapping(entry) || Object.hasOwn(entry, 'argv')) return [];
        const [key = ''] = Object.keys(entry);
        if (suggestion(key, ['argv']).includes('did you mean')) return [];
        return {
          message: `this command is a mapping with the key "${key}"; a command is a text or {argv: [program, argument]}, and a text that has ": " needs quotes`,
          place: document.at(place, 'value'),
        };
      });
    }),
  );
}
