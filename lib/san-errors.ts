import { BlockstoreError } from './blockstore-error.ts';

/** Errors of storage that is controlled over SSH. `where` is user, address and port. */
export const sanErrors = {
  sanUnreachable: (
    where: string,
    reason: string,
    hint = 'check san_ip, san_ssh_port and the network; running exports continue',
  ) => new BlockstoreError('SanUnreachable', 'failed', `the storage at ${where} cannot be reached: ${reason}`, hint),
  sanDenied: (where: string, reason: string) =>
    new BlockstoreError(
      'SanDenied',
      'denied',
      `the storage at ${where} denied the login: ${reason}`,
      'check san_login and san_password or san_private_key',
    ),
  sanKeyUnusable: (file: string, reason: string) =>
    new BlockstoreError(
      'SanDenied',
      'denied',
      `the private key ${file} cannot be used: ${reason}`,
      'set san_private_key to a key file without a passphrase that the daemon may read',
    ),
  hostKeyUnknown: (where: string, fingerprint: string, file: string, line: string) =>
    new BlockstoreError(
      'HostKeyUnknown',
      'denied',
      `the host key of the storage at ${where} is not known: ${fingerprint}`,
      `compare the fingerprint on the storage, then add this line to ${file}, or set san_accept_new_host_key=true: ${line}`,
    ),
  hostKeyChanged: (where: string, fingerprint: string, file: string, line: number) =>
    new BlockstoreError(
      'HostKeyChanged',
      'denied',
      `the host key of the storage at ${where} is ${fingerprint}, not the one in line ${line} of ${file}`,
      `another machine may answer at that address; if the storage has a new key: sed -i ${line}d ${file}`,
    ),
  sanTimeout: (where: string, command: string, seconds: number, printed: string) =>
    new BlockstoreError(
      'SanInterrupted',
      'failed',
      `"${command}" on the storage at ${where} did not end within ${seconds} s${
        printed === '' ? '' : `; it printed ${JSON.stringify(printed)}`
      }`,
      'check the load of the storage, and whether the command asks a question there',
    ),
  sanCut: (where: string, command: string, reason: string) =>
    new BlockstoreError(
      'SanInterrupted',
      'failed',
      `"${command}" on the storage at ${where} did not complete: ${reason}`,
      'check the network to the storage; the daemon looks at its state before it repeats the command',
    ),
  sanCommandFailed: (where: string, command: string, reason: string) =>
    new BlockstoreError(
      'SanCommandFailed',
      'failed',
      `"${command}" failed on the storage at ${where}: ${reason}`,
      'run the command on the storage; check the rights of san_login there',
    ),
  sanOfOtherNode: (storage: string, node: string, fix: string) =>
    new BlockstoreError(
      'StorageUnusable',
      'failed',
      `node ${JSON.stringify(node)} has its volumes in ${storage}`,
      `configure other storage for this node; if that node is gone for good: ${fix}`,
    ),
  sanStorageAbsent: (storage: string, where: string, reason: string, hint: string) =>
    new BlockstoreError(
      'StorageUnusable',
      'failed',
      `${storage} on the storage at ${where} cannot be used: ${reason}`,
      hint,
    ),
  exportRemains: (volume: string, what: string) =>
    new BlockstoreError(
      'ExportStays',
      'failed',
      `could not stop the export of volume ${volume}: the storage still has ${what}`,
      `look at it on the storage, then retry: blockstore volume detach ${volume}`,
    ),
};
