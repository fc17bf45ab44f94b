import { errors } from '../errors.ts';
import { readIfExists } from '../files.ts';
import { isNqn } from '../nvme/address.ts';
import type { NoName } from './initiator-name.ts';

const nameFile = '/etc/nvme/hostnqn';
const makeOne = 'apt-get install nvme-cli; test -s /etc/nvme/hostnqn || nvme gen-hostnqn >/etc/nvme/hostnqn';

/** Returns the NVMe qualified name of this host, by which it connects. It is made by nvme-cli, once. */
export async function nqnOfHost(file = nameFile): Promise<{ name: string } | NoName> {
  const text = (await readIfExists(file))?.trim() ?? '';
  if (text === '') return { reason: `it has no host NQN: ${file} has none`, hint: `make one: ${makeOne}` };
  if (isNqn(text)) return { name: text };
  return { reason: `its host NQN ${JSON.stringify(text)} is not one`, hint: `correct it in ${file}: nvme gen-hostnqn` };
}

/** Throws ConnectorFailed. */
export async function requireHostNqn(volume: string, file = nameFile): Promise<string> {
  const found = await nqnOfHost(file);
  if ('name' in found) return found.name;
  throw errors.connectorFailed(volume, found.reason, found.hint);
}
