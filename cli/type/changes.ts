import type { TypeChanges } from '../../lib/client/types.ts';
import type { UpdateTypeOptions } from './commands.ts';

/** What the options of a command change of a type, besides the projects that can use it. */
export function changesIn(options: UpdateTypeOptions): TypeChanges {
  const { name, description, require: requirements, meta: metadata, unsetMeta: unsetMetadata } = options;
  const { iops, bandwidth, encrypted } = options;
  const isPublic = options.public ?? (options.private ? false : undefined);
  const encryption = encrypted ? { provider: 'luks', cipher: '', keySize: undefined } : 'none';
  return {
    ...(iops === undefined ? {} : { iops }),
    ...(bandwidth === undefined ? {} : { bytesPerSecond: bandwidth }),
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(requirements === undefined ? {} : { requirements }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(unsetMetadata === undefined ? {} : { unsetMetadata }),
    ...(isPublic === undefined ? {} : { isPublic }),
    ...(encrypted === undefined ? {} : { encryption }),
  };
}
