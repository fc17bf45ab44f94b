import { grantRole } from '../../lib/client/identity/assignments.ts';
import { createProject } from '../../lib/client/identity/projects.ts';
import { createUser } from '../../lib/client/identity/users.ts';
import { asError, errors } from '../../lib/errors.ts';
import { findProject } from '../../lib/models/project.ts';
import type { Role } from '../../lib/models/role.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Context } from '../context.ts';
import { choosePassword } from '../read-password.ts';
import { readUser, userJson } from './present.ts';

export interface CreateUserOptions {
  description?: string;
  email?: string;
  project?: string;
  role?: Role;
  admin?: true;
  generate?: true;
  /** False with --no-password. */
  password: boolean;
}

const usage = 'blockstore user create';
const adminProject = 'admin';

/** Prints the id, and a password that was generated. Throws InvalidArgument, WeakPassword, UserExists, ProjectNotFound. */
export async function createUserByName(context: Context, name: string, options: CreateUserOptions): Promise<void> {
  const { project, role, admin = false, generate, password: hasPassword, description, email } = options;
  if (admin && role !== undefined) throw errors.usage('--admin and --role exclude each other', usage);
  if (role !== undefined && project === undefined) throw errors.usage('--role requires --project', usage);
  if (generate && !hasPassword) throw errors.usage('--generate and --no-password exclude each other', usage);
  const chosen = hasPassword ? await choosePassword(usage, { generate: generate === true }) : undefined;
  const { output } = context;
  await using session = await context.open();
  const { store } = session;
  const place = await placeOf(store, project ?? (admin ? adminProject : undefined), admin && project === undefined);
  const { id } = await createUser(store, {
    name,
    ...(description === undefined ? {} : { description }),
    ...(email === undefined ? {} : { email }),
    ...(place === undefined ? {} : { defaultProject: place }),
    ...(chosen === undefined ? {} : { password: chosen.password }),
  });
  if (place !== undefined) await grantRole(store, id, place, admin ? 'admin' : (role ?? 'member'));
  const secret = chosen?.isGenerated ? chosen.password : undefined;
  if (output.json) {
    const shown = secret === undefined ? {} : { password: secret };
    await output.document({ ...userJson(await readUser(store, id)), ...shown });
  } else await output.line([id, ...(secret === undefined ? [] : [secret])].join('\n'));
}

/** Returns the id of a project. `makes`: one that does not exist is created. Throws ProjectNotFound. */
async function placeOf(store: Store, reference: string | undefined, makes: boolean): Promise<string | undefined> {
  if (reference === undefined) return undefined;
  try {
    return (await findProject(store, reference)).id;
  } catch (error) {
    if (!makes || asError(error).code !== 'ProjectNotFound') throw error;
    return (await createProject(store, { name: reference })).id;
  }
}
