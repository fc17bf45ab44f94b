import { z } from 'zod';
import { type QuotaReport, quotaReports } from '../../../lib/client/quota-report.ts';
import { type Limits, removeQuota, setQuota } from '../../../lib/client/quotas.ts';
import { asError, errors } from '../../../lib/errors.ts';
import { checkText } from '../../../lib/models/check-text.ts';
import { everyProject } from '../../../lib/models/quota.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { type Context, call, noAnswer, noBody, noQuery } from '../call.ts';
import { hasRole } from '../caller.ts';
import { trueOrFalse } from '../listing.ts';
import { fixed, quotaDocument, quotaView, resources, usageDocument, usageView, usedIn } from '../views/quota.ts';

const GiB = 2 ** 30;
/** The class of every project; others are never used. */
const defaultClass = 'default';

const limit = z.coerce
  .number('must be a whole number')
  .int({
    error: ({ code }) => (code === 'too_big' ? `must be at most ${Number.MAX_SAFE_INTEGER}` : 'must be a whole number'),
  })
  .min(-1, 'must be -1, for no limit, or greater');
const quotaInput = z
  .object({ id: z.string().optional(), tenant_id: z.string().optional(), class_name: z.string().optional() })
  .catchall(limit);
type QuotaInput = z.output<typeof quotaInput>;
const id = z.string().optional();
const oneSet = z.strictObject({ quota_set: quotaDocument.extend({ id }) });
const oneClass = z.strictObject({ quota_class_set: quotaDocument.extend({ id }) });
const oneUsage = z.strictObject({ quota_set: z.union([quotaDocument.extend({ id }), usageDocument.extend({ id })]) });

export const quotaCalls = [
  call({
    name: 'quota:show',
    summary: 'Shows what a project may have, and with usage what it has',
    method: 'GET',
    path: '/os-quota-sets/:project',
    query: z.strictObject({ usage: trueOrFalse.optional() }),
    body: noBody,
    status: 200,
    answer: oneUsage,
    async handle(request) {
      const project = projectOf(request, request.param('project'));
      const report = await reportOf(request.cluster.store, project);
      return { quota_set: { id: project, ...(request.query.usage ? usageView(report) : quotaView(report)) } };
    },
  }),
  call({
    name: 'quota:show',
    summary: 'Shows what projects without limits of their own may have',
    method: 'GET',
    path: '/os-quota-sets/:project/defaults',
    query: noQuery,
    body: noBody,
    status: 200,
    answer: oneSet,
    async handle(request) {
      const project = projectOf(request, request.param('project'));
      return { quota_set: { id: project, ...quotaView(await reportOf(request.cluster.store, everyProject)) } };
    },
  }),
  call({
    name: 'quota:change',
    summary: 'Sets limits of a project; what it has stays, also beyond them',
    method: 'PUT',
    path: '/os-quota-sets/:project',
    query: z.strictObject({ skip_validation: trueOrFalse.optional() }),
    body: z.strictObject({ quota_set: quotaInput }),
    status: 200,
    answer: oneSet,
    async handle(request) {
      const { store } = request.cluster;
      const project = projectOf(request, request.param('project'));
      const given = request.body.quota_set;
      const limits = limitsIn(given);
      if (request.query.skip_validation === false) refuseBelowUsage(given, await reportOf(store, project));
      await setQuota(store, project, limits);
      return { quota_set: quotaView(await reportOf(store, project)) };
    },
  }),
  call({
    name: 'quota:change',
    summary: 'A project has the limits of every project again',
    method: 'DELETE',
    path: '/os-quota-sets/:project',
    query: noQuery,
    body: noBody,
    status: 200,
    answer: noAnswer,
    async handle(request) {
      const project = projectOf(request, request.param('project'));
      await removeQuota(request.cluster.store, project).catch((error: unknown) => {
        if (asError(error).code !== 'QuotaNotFound') throw error;
      });
    },
  }),
  call({
    name: 'quota-class:show',
    summary: 'Shows what projects without limits of their own may have',
    method: 'GET',
    path: '/os-quota-class-sets/:class',
    query: noQuery,
    body: noBody,
    status: 200,
    answer: oneClass,
    async handle(request) {
      const view = quotaView(await reportOf(request.cluster.store, everyProject));
      return { quota_class_set: { id: request.param('class'), ...view } };
    },
  }),
  call({
    name: 'quota-class:change',
    summary: 'Sets what projects without limits of their own may have',
    method: 'PUT',
    path: '/os-quota-class-sets/:class',
    query: noQuery,
    body: z.strictObject({ quota_class_set: quotaInput }),
    status: 200,
    answer: oneClass,
    async handle(request) {
      const { store } = request.cluster;
      if (request.param('class') !== defaultClass) {
        throw errors.notOffered(`${defaultClass} is the only class of quotas`, `set that, or the quota of a project`);
      }
      await setQuota(store, everyProject, limitsIn(request.body.quota_class_set));
      return { quota_class_set: quotaView(await reportOf(store, everyProject)) };
    },
  }),
];

/** Only an administrator asks for another project: whether one exists, nobody learns. Throws NotPermitted, InvalidArgument. */
function projectOf({ caller }: Pick<Context, 'caller'>, text: string): string {
  const project = checkText('project', text);
  if (project === everyProject) throw errors.invalidArgument('project', project, 'the id of a project');
  if (project !== caller.projectId && !hasRole(caller, 'admin')) throw errors.notPermitted('quota:show', ['admin']);
  return project;
}

async function reportOf(store: Store, project: string): Promise<QuotaReport> {
  const [report] = await quotaReports(store, [project]);
  if (!report) throw errors.quotaNotFound(project);
  return report;
}

/** Throws NotOffered for what has no limit here, unless it stays so. */
function limitsIn({ id: _id, tenant_id: _tenant, class_name: _class, ...given }: QuotaInput): Limits {
  const limits: Limits = {};
  for (const [name, value] of Object.entries(given)) {
    const [, resource] = Object.entries(resources).find(([known]) => known === name) ?? [];
    const [, unchanged] = Object.entries(fixed).find(([known]) => known === name) ?? [];
    if (resource) limits[resource] = value === -1 ? 'unlimited' : resource === 'bytes' ? value * GiB : value;
    else if (value !== unchanged && !(isOfType(name) && value === -1)) {
      throw errors.notOffered(
        `the quota ${name.slice(0, 100)} cannot be set to ${value}`,
        `set ${Object.keys(resources).join(', ')}`,
      );
    }
  }
  return limits;
}

/** Of one type: there are no limits by types. */
function isOfType(name: string): boolean {
  return /^(?:volumes|snapshots|gigabytes)_./.test(name);
}

/** Throws InvalidRequest. */
function refuseBelowUsage(given: QuotaInput, report: QuotaReport): void {
  for (const [name, resource] of Object.entries(resources)) {
    const value = given[name];
    const used = usedIn(resource, report[resource].used);
    if (typeof value === 'number' && value >= 0 && value < used) {
      throw errors.invalidRequest([`quota_set.${name}: the project has ${used} already`]);
    }
  }
}
