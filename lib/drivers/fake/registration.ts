import { ok } from '../../check.ts';
import { defineDriver } from '../driver.ts';
import { fakeFlags } from './flags.ts';

export const fake = defineDriver({
  name: 'fake',
  flags: fakeFlags,
  storage: () => '',
  make: async (flags) => {
    const { FakeDriver } = await import('./driver.ts');
    return new FakeDriver({ totalBytes: flags.fake_storage_bytes });
  },
  check: () => [async () => ok('the driver fake uses no storage')],
});
