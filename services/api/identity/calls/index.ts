import type { IdentityCall } from '../call.ts';
import { credentialCalls } from './credentials.ts';
import { projectCalls } from './projects.ts';
import { roleAssignmentCalls } from './role-assignments.ts';
import { roleCalls } from './roles.ts';
import { scopeCalls } from './scopes.ts';
import { tokenCalls } from './tokens.ts';
import { userCalls } from './users.ts';

/** Every call of the identity service. */
export const identityCalls: readonly IdentityCall[] = [
  ...tokenCalls,
  ...scopeCalls,
  ...userCalls,
  ...projectCalls,
  ...roleCalls,
  ...roleAssignmentCalls,
  ...credentialCalls,
];
