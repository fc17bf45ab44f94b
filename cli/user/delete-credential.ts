import { deleteCredential } from '../../lib/client/identity/credentials.ts';
import { credentialNamed } from '../../lib/client/identity/sign-in.ts';
import { errors } from '../../lib/errors.ts';
import { credentialsOf } from '../../lib/models/application-credential.ts';
import { isHexId } from '../../lib/models/hex-id.ts';
import { findUser } from '../../lib/models/user.ts';
import type { Context } from '../context.ts';

/** Prints the id. Throws UserNotFound, CredentialNotFound. */
export async function deleteUserCredential(context: Context, reference: string, credential: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { store } = session;
  const user = await findUser(store, reference);
  const id = isHexId(credential) ? credential : await credentialNamed(store, user.id, credential);
  const found = id === '' ? undefined : await credentialsOf(store).find(id);
  if (found?.user !== user.id) throw errors.credentialNotFound(credential.slice(0, 100));
  await deleteCredential(store, id);
  if (output.json) await output.document({ deleted: [id] });
  else await output.line(id);
}
