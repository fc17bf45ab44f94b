import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Check, Finding } from '../../lib/check.ts';
import { apiTlsFiles } from '../../lib/flags/api-flags.ts';
import type { LoadedFlags } from '../../lib/flags/load.ts';
import { protocolOf } from '../../lib/targets/registry.ts';
import type { Protocol } from '../../lib/targets/target.ts';
import { printable } from '../../lib/printable.ts';
import { ChildProcesses } from '../../lib/process.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Output, Style } from '../output.ts';
import { checkApiCertificate } from './api-certificate.ts';
import { checkBackups } from './backups.ts';
import { checkAttaching } from './compute.ts';
import { checkConfiguration } from './configuration.ts';
import { checkEncryption } from './encryption.ts';
import { checkLvmFilter } from './lvm-filter.ts';
import { checkIdentityService } from './identity-service.ts';
import { checkInitiator, readClusterUse } from './initiator.ts';
import { checkNvmeHost } from './nvme-host.ts';
import { checkRbdHost } from './rbd-host.ts';
import { runCheck } from './run-check.ts';
import { checkCluster } from './redis.ts';
import { checkStorage } from './storage.ts';

export interface DoctorOptions {
  role?: 'storage' | 'compute';
}

const styles: Record<Finding['level'], Style> = { ok: 'green', warn: 'yellow', bad: 'red' };

/** Runs all checks, whatever earlier ones found. Sets exit code 1 when one is bad. */
export async function runDoctor(context: Context, options: DoctorOptions): Promise<void> {
  const { output } = context;
  const findings: Finding[] = [];
  const report = async (check: Check) => {
    for (const finding of await runCheck(check)) {
      findings.push(finding);
      if (finding.level === 'bad') process.exitCode = exitCodes.failed;
      if (!output.json) await writeFinding(output, finding);
    }
  };

  let loaded: LoadedFlags | undefined;
  await report(async () => {
    loaded = await context.loadFlags();
    return checkConfiguration(loaded, context.configFile);
  });
  if (loaded) await checkHost(loaded, context, options, report);
  if (output.json) await output.document({ findings });
}

type Report = (check: Check) => Promise<void>;

async function checkHost(
  loaded: LoadedFlags,
  context: Context,
  { role }: DoctorOptions,
  report: Report,
): Promise<void> {
  const { flags } = loaded;
  const processes = new ChildProcesses();
  // A host where the daemon has run, or is installed and configured, is a storage node.
  const canRun = context.configFile !== undefined && existsSync(join(dirname(process.argv[1] ?? ''), 'blockstored'));
  const isStorage = role === 'storage' || (role === undefined && (existsSync(flags.state_dir) || canRun));
  await report(() => checkCluster(loaded, isStorage));
  if (isStorage) for (const check of checkStorage(loaded, processes)) await report(check);
  const certificate = apiTlsFiles(flags);
  if (isStorage && certificate) await report(() => checkApiCertificate(certificate));
  if (isStorage && flags.auth_strategy === 'keystone') await report(() => checkIdentityService(flags));
  if (flags.backup_s3_url !== '') await report(() => checkBackups(flags));
  if (role === 'storage') return;
  const keyFile = flags.encryption_key_file;
  if (keyFile !== '') await report(() => checkEncryption(processes, keyFile));
  const use = await readClusterUse(loaded);
  const isRequired = role === 'compute';
  const uses = (protocol: Protocol) =>
    use !== undefined && [...use.targets].some((one) => protocolOf(one) === protocol);
  const isOther = uses('iscsi') || uses('nvme') || uses('rbd') || uses('sheepdog');
  if (uses('aoe') || !isOther) await report(() => checkAttaching(processes, isRequired));
  if (uses('rbd')) await report(() => checkRbdHost(processes));
  await report(() => checkInitiator(processes, { use, isRequired }));
  if (use && uses('nvme')) await report(() => checkNvmeHost(processes, { use, isRequired }));
  await report(() => checkLvmFilter(processes));
}

async function writeFinding(output: Output, { level, message, hint }: Finding): Promise<void> {
  await output.line(`${output.paint(styles[level], level.padEnd(4))}  ${printable(message)}`);
  if (hint !== undefined) await output.line(`      ${printable(hint)}`);
}
