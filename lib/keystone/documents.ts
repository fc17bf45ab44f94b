import { z } from 'zod';
import { type Role, roles } from '../models/role.ts';

/** They become parts of records and addresses. */
const id = z.string().regex(/^[0-9a-zA-Z_.-]{1,64}$/);
const time = z
  .string()
  .transform((text) => Date.parse(text))
  .refine((ms) => Number.isFinite(ms));

/** What an identity service says of a token. */
const tokenDocument = z.object({
  token: z.object({
    expires_at: time,
    user: z.object({ id }),
    project: z.object({ id }).optional(),
    roles: z.array(z.object({ name: z.string() })).default([]),
    /** Where the service has a project of administrators: false for tokens of others. */
    is_admin_project: z.boolean().default(true),
  }),
});

export interface KnownToken {
  userId: string;
  /** '' = it is for none. */
  projectId: string;
  roles: readonly Role[];
  /** Milliseconds since the epoch. */
  expires: number;
}

/** The service answers, and not as it should. */
export class UnexpectedAnswer extends Error {}

/** Returns what a document says of a token. Throws UnexpectedAnswer. */
export function readToken(text: string): KnownToken {
  const { token } = parsed(text);
  return {
    userId: token.user.id,
    projectId: token.project?.id ?? '',
    roles: rolesOf(
      token.roles.map(({ name }) => name),
      { isAdminProject: token.is_admin_project },
    ),
    expires: token.expires_at,
  };
}

function parsed(text: string): z.output<typeof tokenDocument> {
  try {
    return tokenDocument.parse(JSON.parse(text));
  } catch (error) {
    const detail = error instanceof z.ZodError ? error.issues.map(({ path }) => path.join('.')).join(', ') : 'no JSON';
    throw new UnexpectedAnswer(`its description of a token cannot be read: ${detail}`, { cause: error });
  }
}

/** Returns the roles that count here, whatever their case. An administrator outside the project of administrators is a member. */
function rolesOf(names: readonly string[], { isAdminProject }: { isAdminProject: boolean }): Role[] {
  const given = new Set(names.map((name) => name.toLowerCase()));
  if (given.has('admin') && !isAdminProject) {
    given.delete('admin');
    given.add('member');
  }
  return roles.filter((role) => given.has(role));
}
