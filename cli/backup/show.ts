import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { openBackupStore } from '../../lib/backups/open-store.ts';
import { findBackup } from './find-backup.ts';
import { backupFacts, backupJson } from './present.ts';

export async function showBackup(context: Context, reference: string): Promise<void> {
  const { output } = context;
  const backup = await findBackup(openBackupStore((await context.loadFlags()).flags), reference);
  if (output.json) await output.document(backupJson(backup));
  else await writeFacts(output, backupFacts(backup));
}
