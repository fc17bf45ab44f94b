import type { Portal } from '../../iscsi/address.ts';
import type { Configfs } from '../configfs.ts';
import { model, namespaceOf, subsystemOf, subsystems } from './layout.ts';
import { type Ports, portalOfPort } from './ports.ts';

/** A subsystem as configfs shows it. */
export interface FoundSubsystem {
  nqn: string;
  serial: string;
  /** Whether this product made it, or a program that restores what it had saved of this product's. */
  isOurs: boolean;
  /** Whether this product made it since the kernel started. */
  isProven: boolean;
  /** Whether every host is admitted. */
  isOpen: boolean;
  /** Names of those that are admitted, sorted. */
  hosts: readonly string[];
  namespaces: readonly FoundNamespace[];
  /** Paths of the links by which ports present it. */
  links: readonly string[];
  /** Where hosts reach it, the first if there are several. */
  portal: Portal | undefined;
}

interface FoundNamespace {
  number: string;
  device: string;
  uuid: string;
  nguid: string;
  isEnabled: boolean;
  isBuffered: boolean;
}

export async function subsystemNames(configfs: Configfs): Promise<string[]> {
  return configfs.directories(subsystems);
}

export async function readSubsystem(configfs: Configfs, ports: Ports, nqn: string): Promise<FoundSubsystem> {
  const path = subsystemOf(nqn);
  const read = async (name: string) => (await configfs.read(`${path}/${name}`))?.trim() ?? '';
  const [serial, foundModel, isHidden, open, hosts, numbers, links] = await Promise.all([
    read('attr_serial'),
    read('attr_model'),
    configfs.isHidden(path),
    read('attr_allow_any_host'),
    configfs.links(`${path}/allowed_hosts`),
    configfs.directories(`${path}/namespaces`),
    ports.linksTo(nqn),
  ]);
  const isOurs = foundModel === model;
  const [port] = links.map((link) => link.replace(/\/subsystems\/[^/]*$/, ''));
  return {
    nqn,
    serial,
    isOurs,
    isProven: isOurs && isHidden,
    isOpen: open === '1',
    hosts: hosts.toSorted(),
    namespaces: await Promise.all(numbers.map((number) => readNamespace(configfs, nqn, number))),
    links,
    portal: port === undefined ? undefined : await portalOfPort(configfs, port),
  };
}

async function readNamespace(configfs: Configfs, nqn: string, number: string): Promise<FoundNamespace> {
  const path = namespaceOf(nqn, number);
  const [device = '', uuid = '', nguid = '', enable, buffered] = await Promise.all(
    ['device_path', 'device_uuid', 'device_nguid', 'enable', 'buffered_io'].map((name) =>
      configfs.read(`${path}/${name}`),
    ),
  );
  return {
    number,
    device: device === '(null)' ? '' : device,
    uuid,
    nguid,
    isEnabled: enable === '1',
    isBuffered: buffered === '1',
  };
}

/** Whether hosts can use it: one that is half made serves nobody. */
export function isServing({ links, namespaces, isOpen, hosts }: FoundSubsystem): boolean {
  return links.length > 0 && namespaces.some(({ isEnabled }) => isEnabled) && (isOpen || hosts.length > 0);
}
