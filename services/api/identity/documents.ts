/** The documents of Identity v3 that views.ts makes. */
import { z } from 'zod';
import { roles } from '../../../lib/models/role.ts';
import { catalogInterfaces } from './catalog.ts';
import { domain } from './domain.ts';

const id = z.string().regex(/^[0-9a-f]{32}$/);
/** UTC with microseconds. */
const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/);
const domainId = z.literal(domain.id);
const links = z.strictObject({ self: z.string() });
const options = z.strictObject({});
const roleName = z.enum(roles);
const domainReference = z.strictObject({ id: domainId, name: z.literal(domain.name) });

export const userDocument = z
  .strictObject({
    id,
    name: z.string(),
    domain_id: domainId,
    enabled: z.boolean(),
    password_expires_at: z.null(),
    options,
    description: z.string().optional(),
    email: z.string().optional(),
    default_project_id: z.string().optional(),
    links,
  })
  .meta({ id: 'User', description: 'Somebody, or a program, who can sign in' });

export const projectDocument = z
  .strictObject({
    id,
    name: z.string(),
    description: z.string(),
    domain_id: domainId,
    parent_id: domainId,
    is_domain: z.literal(false),
    enabled: z.boolean(),
    tags: z.array(z.string()).max(0),
    options,
    links,
  })
  .meta({ id: 'Project', description: 'What volumes belong to' });

export const roleDocument = z
  .strictObject({ id, name: roleName, domain_id: z.null(), description: z.null(), options, links })
  .meta({ id: 'Role', description: 'What a user can be in a project' });

export const domainDocument = z
  .strictObject({
    ...domainReference.shape,
    description: z.string(),
    enabled: z.literal(true),
    tags: z.array(z.string()).max(0),
    options,
    links,
  })
  .meta({ id: 'Domain', description: 'The only domain' });

export const credentialDocument = z
  .strictObject({
    id,
    name: z.string(),
    description: z.string().nullable(),
    project_id: id,
    user_id: id,
    roles: z.array(z.strictObject({ id, name: roleName, domain_id: z.null() })),
    expires_at: z
      .string()
      .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}$/)
      .nullable(),
    unrestricted: z.boolean(),
    system: z.null(),
    links,
  })
  .meta({ id: 'ApplicationCredential', description: 'What a program signs in with in place of a password' });

export const newCredentialDocument = credentialDocument
  .extend({ secret: z.string().describe('Shown at no other time') })
  .meta({ id: 'NewApplicationCredential', description: 'An application credential with its secret' });

export const serviceDocument = z
  .strictObject({
    id,
    type: z.string(),
    name: z.string(),
    endpoints: z.array(
      z.strictObject({
        id,
        interface: z.enum(catalogInterfaces),
        region: z.string(),
        region_id: z.string(),
        url: z.string(),
      }),
    ),
  })
  .meta({ id: 'Service', description: 'Where clients find a service' });

export const tokenDocument = z
  .strictObject({
    methods: z.array(z.string()),
    user: z.strictObject({ id, name: z.string(), domain: domainReference, password_expires_at: z.null() }),
    audit_ids: z.array(z.string()).length(1),
    issued_at: time,
    expires_at: time,
    project: z.strictObject({ id, name: z.string(), domain: domainReference }).optional(),
    is_domain: z.literal(false).optional(),
    roles: z.array(z.strictObject({ id, name: roleName })).optional(),
    catalog: z.array(serviceDocument).optional(),
    application_credential: z.strictObject({ id, name: z.string(), restricted: z.boolean() }).optional(),
  })
  .meta({ id: 'Token', description: 'What a token means; one without a project has neither roles nor a catalog' });

const party = z.strictObject({ id, name: z.string().optional(), domain: domainReference.optional() });

/** `include_names` decides whether there are names. */
export const assignmentDocument = z
  .strictObject({
    role: z.strictObject({ id, name: roleName.optional(), domain: z.null().optional() }),
    user: party,
    scope: z.strictObject({ project: party }),
    links: z.strictObject({ assignment: z.string() }),
  })
  .meta({ id: 'RoleAssignment', description: 'A role of a user in a project' });
