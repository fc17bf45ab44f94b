import { BlockstoreError } from './blockstore-error.ts';

/** Errors of arguments and options. */
export const argumentErrors = {
  invalidArgument: (name: string, value: unknown, expected: string) =>
    new BlockstoreError('InvalidArgument', 'invalid', `${name} ${JSON.stringify(value)} is not ${expected}`),
  /** `what`: such as "metadata". */
  keyRepeated: (what: string, key: string, values: readonly [first: string, second: string]) =>
    new BlockstoreError(
      'InvalidArgument',
      'invalid',
      `${what} ${JSON.stringify(key)} is given twice, as ${values.map((value) => JSON.stringify(value)).join(' and ')}`,
      'give each key once',
    ),
  setAndUnset: (key: string, value: string) =>
    new BlockstoreError(
      'InvalidArgument',
      'invalid',
      `metadata ${JSON.stringify(key)} is to be set to ${JSON.stringify(value)} and to be removed`,
      'give one of --meta and --unset-meta for each key',
    ),
  usage: (message: string, command: string) =>
    new BlockstoreError('InvalidArgument', 'invalid', message, `see "${command} --help"`),
};
