import { updateUser } from '../../lib/client/identity/users.ts';
import { errors } from '../../lib/errors.ts';
import { findUser } from '../../lib/models/user.ts';
import type { Context } from '../context.ts';
import { choosePassword } from '../read-password.ts';
import { readUser, userJson } from './present.ts';

export interface UpdateUserOptions {
  name?: string;
  description?: string;
  email?: string;
  password?: true;
  generate?: true;
  enable?: true;
  disable?: true;
}

const usage = 'blockstore user update';

/** Prints the id, and a password that was generated. Throws UserNotFound, InvalidArgument, WeakPassword, UserExists. */
export async function updateUserByName(context: Context, reference: string, options: UpdateUserOptions): Promise<void> {
  const { name, description, email, password, generate, enable, disable } = options;
  if (Object.keys(options).length === 0) throw errors.usage('nothing is to be changed', usage);
  if (enable && disable) throw errors.usage('--enable and --disable exclude each other', usage);
  const { output } = context;
  const chosen = password || generate ? await choosePassword(usage, { generate: generate === true }) : undefined;
  await using session = await context.open();
  const { store } = session;
  const { id } = await findUser(store, reference);
  await updateUser(store, id, {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(email === undefined ? {} : { email }),
    ...(chosen === undefined ? {} : { password: chosen.password }),
    ...(enable || disable ? { isEnabled: enable === true } : {}),
  });
  const secret = chosen?.isGenerated ? chosen.password : undefined;
  if (output.json) {
    const shown = secret === undefined ? {} : { password: secret };
    await output.document({ ...userJson(await readUser(store, id)), ...shown });
  } else await output.line([id, ...(secret === undefined ? [] : [secret])].join('\n'));
}
