import { errors } from '../../lib/errors.ts';
import { isId } from '../../lib/models/id.ts';
import type { Context } from '../context.ts';
import { deleteRecords } from '../delete-each.ts';
import { type ChangeOptions, sendOptions } from '../volume/wait-options.ts';

/** Ends attachments and prints the id of each, as deleteVolumes() does. */
export function deleteAttachments(context: Context, ids: readonly string[], options: ChangeOptions): Promise<void> {
  return deleteRecords(
    context,
    ids,
    ({ attachments }) => ({
      what: 'attachment',
      find: async (id) => {
        if (!isId(id)) throw errors.attachmentNotFound(id);
        return id;
      },
      delete: async (id) => void (await attachments.delete(id, sendOptions(options))),
    }),
    options,
  );
}
