import { randomUUID } from 'node:crypto';

const form = /^[0-9a-f]{32}$/;

/** Whether it is an id of a user, a project or an application credential: 32 hexadecimal digits, as clients of Identity v3 expect. */
export function isHexId(text: string): boolean {
  return form.test(text);
}

export function newHexId(): string {
  return randomUUID().replaceAll('-', '');
}
