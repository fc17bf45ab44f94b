import { BlockstoreError } from './blockstore-error.ts';

/** Errors of quotas of projects. */
export const quotaErrors = {
  /** `lacks`: what is asked and used of each resource that has no room. */
  quotaExceeded: (project: string, lacks: readonly string[]) =>
    new BlockstoreError(
      'QuotaExceeded',
      'exhausted',
      `the quota of project ${project} has no room: ${lacks.join('; ')}`,
      `delete what is not needed, or raise the quota: blockstore quota set ${JSON.stringify(project)}`,
    ),
  quotaNotFound: (project: string) =>
    new BlockstoreError(
      'QuotaNotFound',
      'notFound',
      `project ${project} has no quota of its own`,
      'list the quotas: blockstore quota list',
    ),
};
