import { statSync } from 'node:fs';
import { ConfigfsFailure } from '../../../../lib/targets/configfs.ts';
import { ConfigfsTree, type Kind } from '../configfs-tree.ts';

const kinds: readonly Kind[] = [
  { path: /^core\/(iblock|fileio)_\d+$/ },
  {
    path: /^core\/(iblock|fileio)_\d+\/[^/]+$/,
    attributes: { enable: '0', udev_path: '', info: '', control: '' },
    groups: { wwn: { vpd_unit_serial: 'T10 VPD Unit Serial Number: ', vendor_id: '', product_id: '' }, statistics: {} },
  },
  { path: /^iscsi$/, groups: { discovery_auth: {} } },
  { path: /^iscsi\/[^/]+$/, groups: { fabric_statistics: {}, param: {} } },
  {
    path: /^iscsi\/[^/]+\/tpgt_\d+$/,
    attributes: { enable: '0', dynamic_sessions: '' },
    groups: {
      acls: {},
      lun: {},
      np: {},
      param: {},
      auth: { userid: '', password: '' },
      attrib: {
        authentication: '1',
        generate_node_acls: '0',
        demo_mode_write_protect: '1',
        prod_mode_write_protect: '0',
        demo_mode_discovery: '1',
      },
    },
  },
  { path: /^iscsi\/[^/]+\/tpgt_\d+\/lun\/lun_\d+$/, groups: { statistics: {} } },
  { path: /^iscsi\/[^/]+\/tpgt_\d+\/np\/[^/]+$/ },
  {
    path: /^iscsi\/[^/]+\/tpgt_\d+\/acls\/[^/]+$/,
    groups: { auth: { userid: '', password: '' }, attrib: {}, param: {}, fabric_statistics: {} },
  },
  {
    path: /^iscsi\/[^/]+\/tpgt_\d+\/acls\/[^/]+\/lun_\d+$/,
    attributes: { write_protect: '0' },
    groups: { statistics: {} },
  },
];

/** A session of a stand-in. */
export interface StandInLogin {
  group: string;
  initiator: string;
  isOpen: boolean;
}

/**
 * Plays configfs with LIO: a device is opened when it is enabled, a serial number is final once it is exported. Sessions end with their
 * ACL or their group.
 */
export class ConfigfsStandIn extends ConfigfsTree {
  readonly logins: StandInLogin[] = [];

  constructor() {
    super(kinds, ['core']);
  }

  protected override assign(path: string, value: string, set: (value: string) => void): void {
    const [, backstore, name] = /^(core\/[^/]+\/[^/]+)\/(.+)$/.exec(path) ?? [];
    if (backstore === undefined) set(value);
    else this.writeBackstore(backstore, name ?? '', value, set);
    if (path.endsWith('/enable') && value === '0') this.endLogins(path.slice(0, -'/enable'.length));
  }

  protected override admit(path: string): void {
    const [portal] = /(?<=\/np\/).*/.exec(path) ?? [];
    const isTaken = (other: string) => portal !== undefined && clash(/(?<=\/np\/).*/.exec(other)?.[0] ?? '', portal);
    if ([...this.entries.keys()].some(isTaken)) throw new ConfigfsFailure(path, 'EADDRINUSE');
  }

  protected override connect(path: string, to: string): void {
    if (to.startsWith('core/') && this.attribute(`${to}/enable`)?.value !== '1')
      throw new ConfigfsFailure(path, 'ENODEV');
    const [, group, acl] = /^(iscsi\/[^/]+\/tpgt_\d+)(\/acls\/[^/]+\/lun_\d+)\/[^/]+$/.exec(path) ?? [];
    if (group === undefined) return;
    const isReadOnly = this.attribute(`${group}/attrib/prod_mode_write_protect`)?.value ?? '0';
    this.attribute(`${group}${acl}/write_protect`)?.set(isReadOnly);
  }

  protected override disconnect(): void {}

  protected override removed(path: string): void {
    const [, group = '', initiator] = /^(.*)\/acls\/([^/]+)$/.exec(path) ?? [];
    if (initiator !== undefined) this.endLogins(group, initiator);
  }

  private writeBackstore(path: string, name: string, value: string, set: (value: string) => void): void {
    const isFile = path.includes('/fileio_');
    const isEnabled = this.attribute(`${path}/enable`)?.value === '1';
    const info = this.attribute(`${path}/info`);
    if (name === 'enable') {
      const device = /(?:fd_dev_name|udev_path)=([^,]+)/.exec(this.attribute(`${path}/control`)?.value ?? '')?.[1];
      if (value !== '1' || isEnabled || device === undefined) throw new ConfigfsFailure(path, 'EINVAL');
      if (!statSync(device, { throwIfNoEntry: false })) throw new ConfigfsFailure(path, 'ENOENT');
      set('1');
    } else if (name === 'control') {
      const size = /fd_dev_size=(\d+)/.exec(value)?.[1] ?? '0';
      const mode = value.includes('fd_buffered_io=1') ? 'Buffered-WCE' : 'O_DSYNC';
      const before = /Mode: (\S+)/.exec(info?.value ?? '')?.[1];
      if (!isEnabled) set(value);
      if (isFile)
        info?.set(`Status: ACTIVATED\n        File: x  Size: ${size} Mode: ${isEnabled ? before : mode} Async: 0`);
    } else if (name === 'wwn/vpd_unit_serial') {
      if ([...this.linked.values()].includes(path)) throw new ConfigfsFailure(path, 'EINVAL');
      set(`T10 VPD Unit Serial Number: ${value}`);
    } else set(value);
  }

  private endLogins(group: string, initiator?: string): void {
    for (const login of this.logins) {
      if (login.group === group && (initiator ?? login.initiator) === login.initiator) login.isOpen = false;
    }
  }
}

/** Targets share a portal; one of all addresses excludes the others on its port. */
function clash(one: string, other: string): boolean {
  const [port, otherPort] = [one, other].map((text) => text.split(':').at(-1));
  return port === otherPort && one !== other && [one, other].some((text) => text.startsWith('0.0.0.0:'));
}
