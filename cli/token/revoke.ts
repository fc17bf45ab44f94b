import { revokeToken } from '../../lib/client/identity/tokens.ts';
import { revokeTokensOf } from '../../lib/client/identity/users.ts';
import { findUser } from '../../lib/models/user.ts';
import type { Context } from '../context.ts';
import { readSecrets } from '../read-password.ts';

export interface RevokeOptions {
  user?: string;
}

/** A token that is not valid stays so. Throws UserNotFound, InvalidArgument. */
export async function revokeTokens(context: Context, { user: reference }: RevokeOptions): Promise<void> {
  const { output } = context;
  const [text = ''] = reference === undefined ? await readSecrets('blockstore token revoke', ['token: ']) : [];
  await using session = await context.open();
  const { store } = session;
  if (reference === undefined) await revokeToken(store, text.trim());
  else await revokeTokensOf(store, (await findUser(store, reference)).id);
  if (output.json) await output.document({ revoked: true });
}
