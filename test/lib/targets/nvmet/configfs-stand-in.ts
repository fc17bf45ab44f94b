import { statSync } from 'node:fs';
import { ConfigfsFailure } from '../../../../lib/targets/configfs.ts';
import { ConfigfsTree, type Kind, parentOf } from '../configfs-tree.ts';

const kinds: readonly Kind[] = [
  {
    path: /^subsystems\/[^/]+$/,
    attributes: { attr_allow_any_host: '0', attr_model: 'Linux', attr_serial: '0123456789abcdef', attr_version: '1.3' },
    groups: { allowed_hosts: {}, namespaces: {} },
  },
  {
    path: /^subsystems\/[^/]+\/namespaces\/\d+$/,
    attributes: {
      buffered_io: '0',
      device_nguid: '00000000-0000-0000-0000-000000000000',
      device_path: '(null)',
      device_uuid: '6f1f6b4e-0000-4000-8000-000000000000',
      enable: '0',
      revalidate_size: '',
    },
  },
  { path: /^hosts\/[^/]+$/ },
  {
    path: /^ports\/\d+$/,
    attributes: { addr_adrfam: '', addr_traddr: '', addr_trsvcid: '', addr_trtype: '' },
    groups: { subsystems: {}, referrals: {} },
  },
];

/** A controller of a stand-in: what a host has of a subsystem. */
export interface StandInController {
  subsystem: string;
  port: string;
  host: string;
  isOpen: boolean;
}

/**
 * Plays configfs with nvmet: a port listens as long as it presents a subsystem, and its address is final meanwhile; a namespace opens its
 * device for writing when it is enabled, and is final as long. Controllers end when their port no longer presents their subsystem.
 */
export class ConfigfsStandIn extends ConfigfsTree {
  readonly controllers: StandInController[] = [];
  /** Sizes of namespaces, as the kernel last read them. */
  readonly sizes = new Map<string, number>();

  constructor() {
    super(kinds, ['hosts', 'ports', 'subsystems']);
  }

  protected override assign(path: string, value: string, set: (value: string) => void): void {
    const object = parentOf(path);
    const name = path.slice(object.length + 1);
    const isBusy = (words: boolean, code: string) => {
      if (words) throw new ConfigfsFailure(path, code);
    };
    if (object.startsWith('ports/')) isBusy(this.presented(object).length > 0, 'EACCES');
    else if (name === 'attr_serial' || name === 'attr_model') isBusy(value.length > 40, 'EINVAL');
    else if (name === 'attr_allow_any_host') isBusy(value === '1' && this.under(`${object}/allowed_hosts`), 'EINVAL');
    else if (name === 'revalidate_size') {
      if (this.attribute(`${object}/enable`)?.value === '1') this.readSize(object);
      return;
    } else if (name === 'enable') {
      const device = this.attribute(`${object}/device_path`)?.value ?? '';
      if (value === '1') {
        isBusy(!statSync(device, { throwIfNoEntry: false }), 'ENOENT');
        this.readSize(object);
      }
    } else isBusy(this.attribute(`${object}/enable`)?.value === '1', 'EBUSY');
    set(value);
  }

  protected override admit(): void {}

  protected override connect(path: string, to: string): void {
    const [, subsystem] = /^(subsystems\/[^/]+)\/allowed_hosts\//.exec(path) ?? [];
    if (subsystem !== undefined && this.attribute(`${subsystem}/attr_allow_any_host`)?.value === '1') {
      throw new ConfigfsFailure(path, 'EINVAL');
    }
    const [, port] = /^(ports\/\d+)\/subsystems\//.exec(path) ?? [];
    if (port === undefined) return;
    if (!to.startsWith('subsystems/')) throw new ConfigfsFailure(path, 'EINVAL');
    const others = [...this.entries.keys()].filter((one) => /^ports\/\d+$/.test(one) && one !== port);
    const isTaken = others.some((other) => this.presented(other).length > 0 && this.clash(other, port));
    if (isTaken) throw new ConfigfsFailure(path, 'EADDRINUSE');
  }

  protected override disconnect(path: string, to: string): void {
    const [, port] = /^(ports\/\d+)\/subsystems\//.exec(path) ?? [];
    for (const controller of this.controllers) {
      if (controller.port === port && controller.subsystem === to) controller.isOpen = false;
    }
  }

  /** Paths of the subsystems of a port. */
  presented(port: string): string[] {
    return [...this.linked].filter(([path]) => path.startsWith(`${port}/subsystems/`)).map(([, to]) => to);
  }

  private under(directory: string): boolean {
    return [...this.linked.keys()].some((path) => path.startsWith(`${directory}/`));
  }

  private clash(one: string, other: string): boolean {
    const [address, otherAddress] = [one, other].map((port) => this.attribute(`${port}/addr_traddr`)?.value);
    const [service, otherService] = [one, other].map((port) => this.attribute(`${port}/addr_trsvcid`)?.value);
    return (
      service === otherService && (address === otherAddress || address === '0.0.0.0' || otherAddress === '0.0.0.0')
    );
  }

  private readSize(namespace: string): void {
    this.sizes.set(namespace, statSync(this.attribute(`${namespace}/device_path`)?.value ?? '').size);
  }
}
