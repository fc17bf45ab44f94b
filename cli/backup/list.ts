import type { Context } from '../context.ts';
import { Table } from '../table.ts';
import { openBackupStore } from '../../lib/backups/open-store.ts';
import { backupColumns, backupJson } from './present.ts';

export interface ListBackupsOptions {
  volume?: string;
}

/** Those that cannot be read are named as well. */
export async function listBackups(context: Context, { volume }: ListBackupsOptions): Promise<void> {
  const { output } = context;
  const store = openBackupStore((await context.loadFlags()).flags);
  const unreadable: { id: string; reason: string }[] = [];
  const all = await store.list((id, reason) => unreadable.push({ id, reason }));
  const backups = all.filter((one) => volume === undefined || one.volume === volume || one.volumeName === volume);
  if (output.json) {
    await output.document({ backups: backups.map(backupJson), unreadable });
    return;
  }
  await new Table(output, backupColumns).add(backups);
  for (const { id, reason } of unreadable) output.warn(`backup ${id} is unreadable: ${reason}`);
  if (backups.length === 0) output.note(`no backups in ${store.place}`);
}
