import { type Displacement, displace } from './displace.ts';
import { parseFlag } from './given.ts';

/** fake_storage is another way to say volume_driver = fake and volume_target = none: the strongest source decides. */
export function resolveFakeStorage(sources: Displacement): void {
  const { given, problems } = sources;
  const fake = given.get('fake_storage');
  if (!fake || parseFlag('fake_storage', fake, '', []) !== true) return;
  for (const [name, value] of [
    ['volume_driver', 'fake'],
    ['volume_target', 'none'],
  ] as const) {
    const other = given.get(name);
    if (!other || other.value === value) continue;
    const by = { name: 'fake_storage', origin: fake.origin } as const;
    if (other.rank < fake.rank) displace(sources, name, by);
    else if (other.rank > fake.rank) displace(sources, 'fake_storage', { name, origin: other.origin });
    else problems.push(`fake_storage contradicts ${name}: set only one of them (${fake.origin}, ${other.origin})`);
  }
}
