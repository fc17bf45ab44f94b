import { existsSync } from 'node:fs';
import { type Finding, bad, ok, warn } from '../../lib/check.ts';
import { CommandError } from '../../lib/command-error.ts';
import { nqnOfHost } from '../../lib/connectors/host-nqn.ts';
import type { Processes } from '../../lib/process.ts';
import type { ClusterUse } from './initiator.ts';

const cannot = 'this host cannot connect NVMe volumes';

export interface NvmeHostOptions {
  use: ClusterUse;
  /** Default: a problem is only a warning. */
  isRequired?: boolean;
  /** Default: that of the host. */
  nameFile?: string;
  /** Default: /sys. */
  system?: string;
}

/** Checks what a host needs to connect volumes by NVMe over TCP. */
export async function checkNvmeHost(
  processes: Processes,
  { use, isRequired = false, nameFile, system = '/sys' }: NvmeHostOptions,
): Promise<readonly Finding[]> {
  const level = isRequired ? bad : warn;
  const findings: Finding[] = [];
  const fails = (reason: string, hint: string) => findings.push(level(`${cannot}: ${reason}`, hint));
  if (!(await isInstalled(processes))) fails('nvme-cli is not installed', 'apt-get install nvme-cli');
  if (!existsSync(`${system}/module/nvme_tcp`) && !(await hasModule(processes))) {
    fails('the kernel module nvme_tcp is missing', 'run a kernel with CONFIG_NVME_TCP');
  }
  const found = await nqnOfHost(nameFile);
  if (!('name' in found)) fails(found.reason, found.hint);
  else if (use.twins.nqn !== undefined) {
    const hint =
      'one is a clone of the other; give one of them another name and id, without attached volumes: ' +
      'nvme gen-hostnqn >/etc/nvme/hostnqn; uuidgen >/etc/nvme/hostid';
    findings.push(bad(`host ${use.twins.nqn} has the NQN of this host, ${found.name}`, hint));
  } else if (findings.length === 0) findings.push(ok(`this host is the NVMe host ${found.name}`));
  return findings;
}

async function isInstalled(processes: Processes): Promise<boolean> {
  try {
    await processes.run('nvme', ['version']);
    return true;
  } catch (error) {
    if (error instanceof CommandError) return !error.failure.notFound;
    throw error;
  }
}

async function hasModule(processes: Processes): Promise<boolean> {
  try {
    await processes.run('modinfo', ['nvme_tcp']);
    return true;
  } catch (error) {
    if (error instanceof CommandError && error.failure.exitCode === 1) return false;
    throw error;
  }
}
