/** The order in which vitest starts test files: the longest first, so that all cores work until the end. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Test files that take longer than twenty seconds on slow cores, longest first. */
const LONGEST = [
  'study/study',
  'cluster/limits',
  'cluster/failures',
  'repro/data/rclone',
  'repro/data/gc-remote',
  'engine/gpu/agreement',
  'cluster/jobs',
  'report/report',
  'engine/gpu/kernels',
  'engine/engines',
  'engine/stages',
  'repro/model/model',
  'cluster/shared-folder',
  'repro/package/install',
  'scaling/power-law',
  'study/errors',
];

/** Sorts the files of a run. Files that run alone come first, because a shared process ends when one of them is next. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project, moduleId }: TestSpecification) => {
      const place = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return (project.name === 'alone' ? 0 : 1000) + (place < 0 ? LONGEST.length : place);
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
