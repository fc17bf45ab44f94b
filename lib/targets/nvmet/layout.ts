import { volumeNamespace } from '../../nvme/address.ts';

/** Where the objects of an export are in configfs, relative to the kernel's NVMe target. */

export const subsystems = 'subsystems';
export const ports = 'ports';
export const hosts = 'hosts';
/** What the device says it is. By this a subsystem is known as one of this product. */
export const model = 'blockstore';
/** Numbers of the ports that have this product's subsystems, one in use for each portal. Others count from 1. */
export const ownPorts: readonly string[] = Array.from({ length: 16 }, (_, index) => String(2010 + index));

export function subsystemOf(nqn: string): string {
  return `${subsystems}/${nqn}`;
}

export function namespaceOf(nqn: string, number: string | number = volumeNamespace): string {
  return `${subsystemOf(nqn)}/namespaces/${number}`;
}

export function admissionOf(nqn: string, host: string): string {
  return `${subsystemOf(nqn)}/allowed_hosts/${host}`;
}

export function hostOf(host: string): string {
  return `${hosts}/${host}`;
}

export function portOf(number: string): string {
  return `${ports}/${number}`;
}
