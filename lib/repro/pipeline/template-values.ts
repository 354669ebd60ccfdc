/** The values for the templates of a pipeline that cannot be read as a whole, such as one of DVC. */
import { folderSource, isMapping, type Json } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';
import { PARAMS } from './pipeline.ts';
import { VarsReader } from './vars.ts';

/**
 * The values of params.yaml and of the vars at the top. Files that are missing or wrong are left out.
 *
 * @param folder of the file, relative to `root`
 * @param top the value of the file
 */
export async function valuesForTemplates(root: string, folder: string, top: Json): Promise<Json> {
  const reader = new VarsReader(root, folderSource(root), []);
  const values: Record<string, Json> = {};
  const vars = isMapping(top) && Array.isArray(top.vars) ? (top.vars as readonly Json[]) : [];
  for (const entry of [PARAMS, ...vars.filter((each) => each !== PARAMS)])
    try {
      await reader.merge(values, entry, folder);
    } catch (error) {
      if (!(error instanceof ReproError)) throw error;
    }
  return values;
}
