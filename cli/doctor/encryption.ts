import { type Finding, bad, ok, warn } from '../../lib/check.ts';
import { CommandError } from '../../lib/command-error.ts';
import { readClusterKey } from '../../lib/encryption/passphrase.ts';
import { isReadableByAll } from '../../lib/named-file.ts';
import type { Processes } from '../../lib/process.ts';

/** Whether this host can open encrypted volumes with the key in that file. */
export async function checkEncryption(processes: Processes, file: string): Promise<readonly Finding[]> {
  const found = readClusterKey(file);
  if ('problem' in found) {
    const hint = 'copy the file with the key of the cluster to this host; a new one opens no volume of the other hosts';
    return [bad(`this host cannot attach encrypted volumes: ${found.problem}`, hint)];
  }
  const findings: Finding[] = [];
  if (isReadableByAll(file)) {
    findings.push(warn(`every user of this host can read the key of the cluster, ${file}`, `chmod 600 ${file}`));
  }
  try {
    await processes.run('cryptsetup', ['--version']);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    findings.push(bad(`this host cannot attach encrypted volumes: ${error.message}`, 'apt-get install cryptsetup-bin'));
  }
  return findings.length > 0 ? findings : [ok(`encrypted volumes: key in ${file}`)];
}
