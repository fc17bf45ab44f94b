import test from 'ava';
import { parseRedisUrl } from '../../../lib/redis/url.ts';

const host = /^must name a host by its name or address/;
const port = /^must have a port from 1 to 65535/;
const path = /^must be unix: and an absolute path, such as unix:\/run\/redis\/redis\.sock/;
const secret = /^is not a URL: percent-encode special characters of user and password/;

const refused: readonly [string, RegExp, readonly string[]][] = [
  [
    'with a host before the path of a socket',
    path,
    [
      'unix:/run/%00redis.sock',
      'unix://run/redis/redis.sock',
      'unix://my host/redis.sock',
      'unix://user:secret@/redis.sock',
      'unix:run',
    ],
  ],
  [
    'with a port that does not exist',
    port,
    ['redis://h:99999', 'redis://h:0', 'rediss://u:secret@h:no', 'redis://[::1]:99999/2'],
  ],
  [
    'without a host that can exist',
    host,
    [
      'redis://h1,h2:6379',
      'redis://my host',
      'redis://u:secret@my host:6379/2',
      'redis://h^x',
      'redis://:6379',
      'redis://',
      'redis://ü',
    ],
  ],
  [
    'with a zone',
    /^must have an IPv6 address without a zone \(%\): set redis_host/,
    ['redis://[fe80::1%25eth0]', 'redis://[fe80::1%eth0]:1'],
  ],
  [
    'with an address that is none',
    /^must have a valid IPv6 address/,
    ['redis://[::g]', 'redis://u:secret@[1.2.3.4]:1'],
  ],
  ['with two databases', /^may have \?db= once/, ['redis://h?db=1&db=0', 'unix:/run/redis.sock?db=0&db=1']],
  [
    'with a special character in the password',
    secret,
    ['redis://user:secr/et@h', 'redis://user:secr#et@h', 'redis://user:secr?et@h'],
  ],
];

for (const [what, message, urls] of refused) {
  test(`a redis_url ${what} is refused with that reason`, (t) => {
    for (const url of urls) t.throws(() => parseRedisUrl(url), { message }, url);
  });
}

test('a redis_url with the highest port, three slashes before a path, or none is read', (t) => {
  t.like(parseRedisUrl('redis://h:65535/1'), { host: 'h', port: 65_535, db: 1 });
  t.like(parseRedisUrl('redis://h:'), { host: 'h', port: 6379 });
  t.like(parseRedisUrl('redis://u:p ss@[fe80::1]'), { host: 'fe80::1', password: 'p ss' });
  t.like(parseRedisUrl('unix:///run/redis.sock'), { path: '/run/redis.sock' });
  t.like(parseRedisUrl('unix:/run/redis.sock?db=3'), { path: '/run/redis.sock', db: 3 });
});
