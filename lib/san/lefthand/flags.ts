import { flag, text } from '../../flags/flag.ts';
import { sanFlags } from '../flags.ts';

export const lefthandFlags = {
  ...sanFlags,
  san_clustername: flag(
    text.regex(/^[A-Za-z0-9_.-]*$/, 'must be letters, digits and _ . -'),
    '',
    'LeftHand cluster of the volumes',
  ),
};
