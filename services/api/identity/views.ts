import type { z } from 'zod';
import type { KnownToken } from '../../../lib/client/identity/tokens.ts';
import type { Flags } from '../../../lib/flags/definitions.ts';
import type { CredentialState } from '../../../lib/models/application-credential.ts';
import type { ProjectState } from '../../../lib/models/project.ts';
import type { Role } from '../../../lib/models/role.ts';
import type { UserState } from '../../../lib/models/user.ts';
import { catalogFor } from './catalog.ts';
import type {
  credentialDocument,
  domainDocument,
  projectDocument,
  roleDocument,
  tokenDocument,
  userDocument,
} from './documents.ts';
import { domain, roleId } from './domain.ts';

/** Documents of Identity v3. `base`: the address of the service. None has a secret. */

export function userView(user: UserState, base: string): z.input<typeof userDocument> {
  return {
    id: user.id,
    name: user.name,
    domain_id: domain.id,
    enabled: user.isEnabled,
    password_expires_at: null,
    options: {},
    ...(user.description === '' ? {} : { description: user.description }),
    ...(user.email === '' ? {} : { email: user.email }),
    ...(user.defaultProject === '' ? {} : { default_project_id: user.defaultProject }),
    links: { self: `${base}/users/${user.id}` },
  };
}

export function projectView(
  { id, name, description, isEnabled }: ProjectState,
  base: string,
): z.input<typeof projectDocument> {
  return {
    id,
    name,
    description,
    domain_id: domain.id,
    parent_id: domain.id,
    is_domain: false,
    enabled: isEnabled,
    tags: [],
    options: {},
    links: { self: `${base}/projects/${id}` },
  };
}

export function roleView(role: Role, base: string): z.input<typeof roleDocument> {
  const id = roleId(role);
  return { id, name: role, domain_id: null, description: null, options: {}, links: { self: `${base}/roles/${id}` } };
}

export function domainView(base: string): z.input<typeof domainDocument> {
  return {
    ...domain,
    description: 'The only domain',
    enabled: true,
    tags: [],
    options: {},
    links: { self: `${base}/domains/${domain.id}` },
  };
}

export function credentialView(credential: CredentialState, base: string): z.input<typeof credentialDocument> {
  return {
    id: credential.id,
    name: credential.name,
    description: credential.description || null,
    project_id: credential.project,
    user_id: credential.user,
    roles: credential.roles.map((role) => ({ id: roleId(role), name: role, domain_id: null })),
    expires_at: credential.expires === 0 ? null : timeText(credential.expires).replace('Z', ''),
    unrestricted: credential.isUnrestricted,
    system: null,
    links: { self: `${base}/users/${credential.user}/application_credentials/${credential.id}` },
  };
}

/** What a token means. Without a project it has no catalog. */
export function tokenView(
  { token, user, project, roles, credential }: KnownToken,
  { origin, flags, hasCatalog }: { origin: string; flags: Flags; hasCatalog: boolean },
): z.input<typeof tokenDocument> {
  return {
    methods: [...token.methods],
    user: { id: user.id, name: user.name, domain, password_expires_at: null },
    audit_ids: [token.auditId],
    issued_at: timeText(token.issueTime),
    expires_at: timeText(token.expires),
    ...(project
      ? {
          project: { id: project.id, name: project.name, domain },
          is_domain: false,
          roles: roles.map((role) => ({ id: roleId(role), name: role })),
        }
      : {}),
    ...(project && hasCatalog ? { catalog: catalogFor(project.id, origin, flags) } : {}),
    ...(credential
      ? {
          application_credential: {
            id: credential.id,
            name: credential.name,
            restricted: !credential.isUnrestricted,
          },
        }
      : {}),
  };
}

/** `time`: milliseconds since the epoch. */
export function timeText(time: number): string {
  return new Date(time).toISOString().replace('Z', '000Z');
}
