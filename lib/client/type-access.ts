import { errors } from '../errors.ts';
import { checkText } from '../models/check-text.ts';
import { accessField } from '../models/type-state.ts';
import { typesOf } from '../models/type.ts';
import { type Edit, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';

/** Projects that a private type admits at most: each volume that is made of it reads all of them. */
export const maxProjects = 1000;

/** Lets the volumes of a project have a private type. Throws TypeNotFound, InvalidArgument, TypeIsPublic, TypeAccessExists. */
export async function admitProject(store: Store, id: string, project: string): Promise<void> {
  const field = accessField(checkText('project', project));
  const { isPublic, projects } = await typesOf(store).lookup(id);
  if (isPublic) throw errors.typeIsPublic(id);
  if (projects.length >= maxProjects) {
    throw errors.invalidArgument('project', project, `one of at most ${maxProjects} that a type admits`);
  }
  const edit: Edit = { kind: 'type', id, expect: { private: 'true', [field]: '' }, set: { [field]: 'true' } };
  const outcome = await commit(store, { edits: [edit], event: 'type.update' });
  if (outcome.word === 'absent') throw errors.typeNotFound(id);
  if (outcome.word !== 'changed') return;
  throw outcome.record['private'] === 'true' ? errors.typeAccessExists(id, project) : errors.typeIsPublic(id);
}

/** Volumes that it has of the type stay. Throws TypeNotFound, TypeIsPublic, TypeAccessNotFound. */
export async function excludeProject(store: Store, id: string, project: string): Promise<void> {
  const field = accessField(project);
  const { isPublic } = await typesOf(store).lookup(id);
  if (isPublic) throw errors.typeIsPublic(id);
  const edit: Edit = { kind: 'type', id, expect: { [field]: 'true' }, unset: [field] };
  const outcome = await commit(store, { edits: [edit], event: 'type.update' });
  if (outcome.word === 'absent') throw errors.typeNotFound(id);
  if (outcome.word === 'changed') throw errors.typeAccessNotFound(id, project);
}
