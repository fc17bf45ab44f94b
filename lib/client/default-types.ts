import { errors } from '../errors.ts';
import { checkText } from '../models/check-text.ts';
import { type DefaultTypeState, defaultTypesOf } from '../models/default-type.ts';
import { commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { maxChanges } from './start-task.ts';

/** New volumes of the project have that type, where their request names none. Throws InvalidArgument, TypeNotFound. */
export async function setDefaultType(store: Store, project: string, type: string): Promise<DefaultTypeState> {
  const id = checkText('project', project);
  for (let change = 0; change < maxChanges; change += 1) {
    const found = await defaultTypesOf(store).find(id);
    const edit = { kind: 'default-type', id, set: { type }, stamp: found ? [] : ['createTime'] } as const;
    const outcome = await commit(store, {
      edits: [found ? edit : { ...edit, insert: true }, { kind: 'type', id: type }],
      event: 'default-type.set',
    });
    if (outcome.word === 'absent' && outcome.edit === 1) throw errors.typeNotFound(type);
    if (outcome.word === 'ok') return defaultTypesOf(store).lookup(id);
  }
  throw errors.wrongStatus(project, 'being changed', 'no other request at the same time');
}

/** One that has none stays so. */
export async function removeDefaultType(store: Store, project: string): Promise<void> {
  await commit(store, {
    edits: [{ kind: 'default-type', id: project, remove: true, optional: true }],
    event: 'default-type.remove',
  });
}
