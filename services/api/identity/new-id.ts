import { idOfNew } from '../idempotency.ts';
import { type IdentityContext, callerOf } from './call.ts';

/** Returns the id of the record that a request makes: see idOfNew(). Throws InvalidRequest. */
export function idOfNewRecord(context: Pick<IdentityContext, 'caller' | 'key'>, call: string): string {
  const { user, project, roles } = callerOf(context);
  const caller = { userId: user.id, projectId: project?.id ?? '', roles };
  return idOfNew({ caller, key: context.key }, call).replaceAll('-', '');
}
