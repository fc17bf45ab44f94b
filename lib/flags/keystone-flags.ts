import { flag, text, whole } from './flag.ts';

/** For an API whose users an identity service knows. */
export const keystoneFlags = {
  keystone_url: flag(
    text.refine(
      (value) => value === '' || isServiceAddress(value),
      'must be an address such as https://identity:5000/v3',
    ),
    '',
    'identity service that speaks Identity v3, such as Keystone, for auth_strategy keystone',
  ),
  keystone_user: flag(text, 'blockstore', 'user of the identity service by whom the API has tokens validated'),
  keystone_user_domain: flag(text, 'Default', 'name of the domain of keystone_user'),
  keystone_password_file: flag(
    text,
    '',
    'file with the password of keystone_user, which other users cannot read; it is read anew for each sign-in',
  ),
  keystone_project: flag(text, 'service', 'project in which keystone_user has the role service'),
  keystone_project_domain: flag(text, 'Default', 'name of the domain of keystone_project'),
  keystone_ca_file: flag(text, '', "file with the certificate authority of the identity service; empty: the system's"),
  keystone_timeout: flag(whole(1, 300), 10, 'time that the identity service has for an answer', { unit: 'seconds' }),
  keystone_cache_time: flag(
    whole(0, 3600),
    60,
    'time for which a validated token is not validated again: one that is revoked is served for so long; 0: no cache',
    { unit: 'seconds' },
  ),
  keystone_cache_tokens: flag(whole(1, 1_000_000), 10_000, 'tokens whose validation is kept at most'),
};

/** With a path or without, and nothing else. */
function isServiceAddress(value: string): boolean {
  const url = URL.parse(value);
  if (!url || !/^https?:$/.test(url.protocol)) return false;
  return url.search === '' && url.hash === '' && url.username === '' && url.password === '';
}
