import { initiatorNames } from '../iscsi/address.ts';
import { BlockstoreError, errors } from '../errors.ts';
import { errorCode, readIfExists } from '../files.ts';

const nameFile = '/etc/iscsi/initiatorname.iscsi';
const makeOne = 'echo "InitiatorName=$(iscsi-iname)" >/etc/iscsi/initiatorname.iscsi; systemctl restart iscsid';

/** Why this host has no name by which a target can admit it, and how it gets one. */
export interface NoName {
  reason: string;
  hint: string;
  /** Whether it may have one, which only root can see. */
  isHidden?: boolean;
}

/** Returns the iSCSI initiator name of this host, which iscsid reads when it starts. */
export async function initiatorOfHost(file = nameFile): Promise<{ name: string } | NoName> {
  const text = await readIfExists(file).catch((error: unknown) => {
    if (errorCode(error) === 'EACCES') return null;
    throw error;
  });
  if (text === null) return { reason: `only root may read ${file}`, hint: 'run this as root', isHidden: true };
  if (text === undefined) {
    return { reason: `it has no iSCSI initiator name: there is no ${file}`, hint: 'apt-get install open-iscsi' };
  }
  const given = /^\s*InitiatorName\s*=\s*(\S+)\s*$/m.exec(text)?.[1];
  if (given === undefined) {
    const isToCome = /^\s*GenerateName\s*=\s*yes\s*$/m.test(text);
    const reason = `it has no iSCSI initiator name: ${file} has none${isToCome ? ' until iscsid has started once' : ''}`;
    return { reason, hint: isToCome ? 'start it: systemctl start iscsid' : `make one: ${makeOne}` };
  }
  try {
    const [name = ''] = initiatorNames([given]);
    if (name === given) return { name };
    const reason = `its iSCSI initiator name ${JSON.stringify(given)} has capital letters, and targets compare exactly`;
    return { reason, hint: `write it in lower case into ${file}, then: systemctl restart iscsid` };
  } catch (error) {
    if (!(error instanceof BlockstoreError)) throw error;
    return { reason: `its ${error.message}`, hint: `correct it in ${file}, then: systemctl restart iscsid` };
  }
}

/** Throws ConnectorFailed. */
export async function requireInitiatorName(volume: string, file = nameFile): Promise<string> {
  const found = await initiatorOfHost(file);
  if ('name' in found) return found.name;
  throw errors.connectorFailed(volume, found.reason, found.hint);
}
