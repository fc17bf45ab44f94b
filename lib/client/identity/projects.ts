import { errors } from '../../errors.ts';
import { newHexId } from '../../models/hex-id.ts';
import { type ProjectState, parseProject, projectsOf } from '../../models/project.ts';
import { type Condition, commit } from '../../redis/scripts.ts';
import type { Store } from '../../redis/store.ts';
import { insertNamed } from '../insert-named.ts';
import { maxChanges } from '../start-task.ts';
import { removeDefaultType } from '../default-types.ts';
import { setQuota } from '../quotas.ts';
import { checkIdentityName, textFields } from './fields.ts';
import { removeAll } from './remove-all.ts';

/** What a project says; what is not given stays as it is. */
export interface ProjectChanges {
  name?: string;
  /** '': none. */
  description?: string;
  isEnabled?: boolean;
}

/** A repeated request with the same id has one effect. Throws InvalidArgument, ProjectExists. */
export async function createProject(
  store: Store,
  { id = newHexId(), ...changes }: ProjectChanges & { id?: string; name: string },
): Promise<ProjectState> {
  const { set } = fieldsOf(changes);
  const name = set['name'] ?? '';
  const what = { kind: 'project', parse: parseProject, taken: errors.projectExists } as const;
  return insertNamed(store, { ...what, id, name, set: { enabled: 'true', ...set }, records: projectsOf(store) });
}

/** Tokens for a project that is disabled are not valid until it is enabled. Throws ProjectNotFound, InvalidArgument, ProjectExists. */
export async function updateProject(store: Store, id: string, changes: ProjectChanges): Promise<ProjectState> {
  const { set, unset } = fieldsOf(changes);
  for (let change = 0; change < maxChanges; change += 1) {
    const { name } = await projectsOf(store).lookup(id);
    const renamed = set['name'] === undefined || set['name'] === name ? [] : [set['name']];
    const outcome = await commit(store, {
      conditions: renamed.map((text) => ({ is: 'empty', key: `project-name:${text}` }) as const),
      edits: [{ kind: 'project', id, expect: { name }, set, unset }],
      event: 'project.update',
    });
    if (outcome.word === 'condition') throw errors.projectExists(set['name'] ?? '');
    if (outcome.word === 'ok') return projectsOf(store).lookup(id);
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}

/**
 * Its tokens are not valid from the beginning on; then its roles, application credentials, quota and default type are removed, in steps.
 * Throws ProjectNotFound, ProjectInUse.
 */
export async function deleteProject(store: Store, id: string): Promise<void> {
  const { name } = await projectsOf(store).lookup(id);
  const unused = ['volumes', 'snapshots', 'transfers'].map(
    (noun): Condition => ({ is: 'empty', key: `project:${id}:${noun}` }),
  );
  const first = await commit(store, {
    conditions: unused,
    edits: [{ kind: 'project', id, set: { enabled: 'false' }, optional: true }],
  });
  if (first.word === 'condition') throw await inUse(store, id, name);
  const dependent = ['application-credentials', 'assignments'].map(
    (noun): Condition => ({ is: 'empty', key: `project:${id}:${noun}` }),
  );
  for (let change = 0; change < maxChanges; change += 1) {
    await removeAll(store, 'application-credential', store.keys.projectCredentials(id));
    await removeAll(store, 'assignment', store.keys.projectAssignments(id));
    await removeDefaultType(store, id);
    await setQuota(store, id, { volumes: 'default', bytes: 'default', snapshots: 'default' });
    const outcome = await commit(store, {
      conditions: [...unused, ...dependent],
      edits: [{ kind: 'project', id, remove: true, optional: true }],
      event: 'project.delete',
    });
    if (outcome.word === 'ok') return;
    if (outcome.word === 'condition' && unused.includes(outcome.condition)) throw await inUse(store, id, name);
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}

async function inUse(store: Store, id: string, name: string): Promise<Error> {
  const { keys } = store;
  const [volumes = 0, snapshots = 0, transfers = 0] = await store.read((redis) =>
    Promise.all(
      [keys.projectVolumes(id), keys.projectSnapshots(id), keys.projectTransfers(id)].map((key) => redis.zcard(key)),
    ),
  );
  const counts = [
    [volumes, 'volumes'],
    [snapshots, 'snapshots'],
    [transfers, 'transfers'],
  ] as const;
  const what = counts.flatMap(([count, noun]) =>
    count > 0 ? [`${count} ${count === 1 ? noun.slice(0, -1) : noun}`] : [],
  );
  return errors.projectInUse(name, id, what.join(', ') || 'volumes');
}

function fieldsOf({ name, description, isEnabled }: ProjectChanges) {
  const texts = textFields({ description });
  return {
    set: {
      ...(name === undefined ? {} : { name: checkIdentityName(name) }),
      ...texts.set,
      ...(isEnabled === undefined ? {} : { enabled: String(isEnabled) }),
    },
    unset: texts.unset,
  };
}
