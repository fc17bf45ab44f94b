import { asError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { RbdCommands } from '../../rbd/commands.ts';
import { type ListedImage, listImages } from './images.ts';
import { isDeleted } from './names.ts';
import { remove } from './removal.ts';

/** Images of deleted volumes, which are kept while copies depend on them and removed in the background after that. */
export class Leftovers {
  private readonly commands: RbdCommands;
  private readonly log: Log;
  private readonly ending = new AbortController();
  private removal: Promise<void> | undefined;
  /** Whether the last list had any. */
  areKnown = false;

  constructor(commands: RbdCommands, log: Log) {
    this.commands = commands;
    this.log = log;
  }

  /** Begins to remove those of which no image of the list is a copy. */
  removeUnneeded(images: readonly ListedImage[]): void {
    this.areKnown = images.some(({ name }) => isDeleted(name));
    if (this.removal !== undefined || this.ending.signal.aborted || unneeded(images).length === 0) return;
    this.removal = this.work(images)
      .catch((error: unknown) => {
        if (this.ending.signal.aborted) return;
        const { message } = asError(error);
        this.log.warn('an image of a deleted volume is still to be removed', { reason: message });
      })
      .finally(() => {
        this.removal = undefined;
      });
  }

  async close(): Promise<void> {
    this.ending.abort();
    await this.removal;
  }

  private async work(images: readonly ListedImage[]): Promise<void> {
    let removed = 0;
    for (const name of unneeded(images)) {
      const { failure } = await remove(this.commands, name, { signal: this.ending.signal });
      // Others: copies in another pool or in the trash need it, or a client has it open.
      if (failure === undefined || failure === 'absent') removed += 1;
    }
    // It may itself have been the last copy of another one.
    if (removed > 0) await this.work(await listImages(this.commands));
  }
}

function unneeded(images: readonly ListedImage[]): string[] {
  const parents = new Set(images.map(({ parent }) => parent));
  return images.map(({ name }) => name).filter((name) => isDeleted(name) && !parents.has(name));
}
