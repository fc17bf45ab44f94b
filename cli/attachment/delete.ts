import { errors } from '../../lib/errors.ts';
import { isId } from '../../lib/models/id.ts';
import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
import { type ChangeOptions, sendOptions } from '../volume/wait-options.ts';
import { despiteWriteErrors } from '../write-errors.ts';

/** Ends attachments and prints the id of each, as deleteVolumes() does. */
export async function deleteAttachments(
  context: Context,
  ids: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  await using session = await context.open();
  const { attachments } = session;
  await despiteWriteErrors(() =>
    deleteEach(context, ids, options, {
      what: 'attachment',
      find: async (id) => {
        if (!isId(id)) throw errors.attachmentNotFound(id);
        return id;
      },
      delete: async (id) => void (await attachments.delete(id, sendOptions(options))),
    }),
  );
}
