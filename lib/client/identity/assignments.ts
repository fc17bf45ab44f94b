import { errors } from '../../errors.ts';
import { type AssignmentState, assignmentId, assignmentsOf } from '../../models/assignment.ts';
import { type Role, rolesText } from '../../models/role.ts';
import { commit } from '../../redis/scripts.ts';
import type { Store } from '../../redis/store.ts';
import { maxChanges } from '../start-task.ts';
import { newGeneration } from './generation.ts';

/** A user who has the role already keeps it. Throws UserNotFound, ProjectNotFound. */
export async function grantRole(store: Store, user: string, project: string, role: Role): Promise<AssignmentState> {
  const id = assignmentId(user, project);
  for (let change = 0; change < maxChanges; change += 1) {
    const found = await assignmentsOf(store).find(id);
    if (found?.roles.includes(role)) return found;
    const set = { user, project, roles: rolesText([...(found?.roles ?? []), role]) };
    const edit = { kind: 'assignment', id, set } as const;
    const outcome = await commit(store, {
      edits: [
        found
          ? { ...edit, expect: { roles: rolesText(found.roles) } }
          : { ...edit, insert: true, stamp: ['createTime'] },
        { kind: 'user', id: user },
        { kind: 'project', id: project },
      ],
      event: 'role.grant',
    });
    if (outcome.word === 'absent' && outcome.edit === 1) throw errors.userNotFound(user);
    if (outcome.word === 'absent' && outcome.edit === 2) throw errors.projectNotFound(project);
    if (outcome.word === 'ok') return assignmentsOf(store).lookup(id);
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}

/** Every token of the user ends with it. Throws RoleNotGranted. */
export async function revokeRole(store: Store, user: string, project: string, role: Role): Promise<void> {
  const id = assignmentId(user, project);
  for (let change = 0; change < maxChanges; change += 1) {
    const found = await assignmentsOf(store).find(id);
    if (!found?.roles.includes(role)) throw errors.roleNotGranted(role, user, project);
    const left = rolesText(found.roles.filter((one) => one !== role));
    const edit = { kind: 'assignment', id, expect: { roles: rolesText(found.roles) } } as const;
    const outcome = await commit(store, {
      edits: [
        left === '' ? { ...edit, remove: true } : { ...edit, set: { roles: left } },
        { kind: 'user', id: user, optional: true, set: { generation: newGeneration() } },
      ],
      event: 'role.revoke',
    });
    if (outcome.word === 'ok') return;
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}
