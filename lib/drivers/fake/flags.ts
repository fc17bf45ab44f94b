import { flag, whole } from '../../flags/flag.ts';

export const fakeFlags = {
  fake_storage_bytes: flag(whole(0, Number.MAX_SAFE_INTEGER), 2 ** 50, 'capacity that the fake driver reports', {
    unit: 'bytes',
  }),
};
