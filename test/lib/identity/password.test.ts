import test from 'ava';
import { checkPassword, hashPassword, newPassword, withPasswordCheck } from '../../../lib/identity/password.ts';
import { newTokenText, parseTokenText } from '../../../lib/identity/token-text.ts';

const isPassword = (given: string, stored: string) => withPasswordCheck((check) => check(given, stored));

test.serial('a password matches its own hash alone, in every form of Unicode', async (t) => {
  const stored = await hashPassword('Käse und Brot');
  t.regex(stored, /^\$scrypt\$ln=15,r=8,p=1\$[\w-]{22}\$[\w-]{43}$/);
  t.not(await hashPassword('Käse und Brot'), stored);
  t.true(await isPassword('Käse und Brot'.normalize('NFD'), stored));
  for (const other of ['Käse und Brot ', 'käse und brot', '', 'x'.repeat(10_000)])
    t.false(await isPassword(other, stored));
});

test.serial('nobody has the password of an absent, damaged or too costly hash', async (t) => {
  const stored = await hashPassword('long enough');
  for (const other of [
    '',
    '$scrypt$',
    stored.slice(0, -1),
    stored.replace('ln=15', 'ln=30'),
    stored.replace('r=8', 'r=0'),
  ]) {
    t.false(await isPassword('long enough', other), other);
    t.false(await isPassword('', other), other);
  }
});

test.serial('an absent hash takes as long as a present one', async (t) => {
  const stored = await hashPassword('long enough');
  // Of the processor: the threads of a busy machine wait for others.
  const timeOf = async (hash: string) => {
    const began = process.cpuUsage();
    await isPassword('guess of somebody', hash);
    return process.cpuUsage(began).user;
  };
  const times = { present: Infinity, absent: Infinity };
  for (let run = 0; run < 5; run += 1) {
    times.present = Math.min(times.present, await timeOf(stored));
    times.absent = Math.min(times.absent, await timeOf(''));
  }
  t.true(times.absent > times.present / 3 && times.absent < times.present * 3, JSON.stringify(times));
});

test.serial('more checks than a few seconds of work are refused, and later ones are not', async (t) => {
  const all = await Promise.allSettled(Array.from({ length: 70 }, () => withPasswordCheck(async () => true)));
  const refused = all.filter(({ status }) => status === 'rejected');
  t.is(refused.length, 6);
  for (const one of refused) t.like(one, { reason: { code: 'SignInBusy' } });
  t.true(await withPasswordCheck(async () => true));
});

test.serial('a password has 8 to 256 bytes', (t) => {
  t.is(checkPassword('12345678'), '12345678');
  for (const text of ['', '1234567', 'ä'.repeat(129)]) t.throws(() => checkPassword(text), { name: 'WeakPassword' });
  t.regex(newPassword(), /^[a-zA-Z2-9]{24}$/);
  t.not(newPassword(), newPassword());
});

test.serial('a token names its user, project and credential, and any other text none', (t) => {
  const [user, project, credential] = ['0a', '1b', '2c'].map((digits) => digits.repeat(16));
  for (const claims of [
    { user: user ?? '', project: project ?? '', credential: credential ?? '' },
    { user: user ?? '', project: project ?? '', credential: '' },
    { user: user ?? '', project: '', credential: '' },
  ]) {
    const text = newTokenText(claims);
    t.regex(text, /^bst_[\w-]{80,}$/);
    t.like(parseTokenText(text), claims);
    t.regex(parseTokenText(text)?.id ?? '', /^[0-9a-f]{64}$/);
    for (const other of [text.slice(1), `${text}AAAA`, text.slice(0, -4), `${text} `, text.replace('bst_', 'bst_%')]) {
      t.is(parseTokenText(other), undefined, other);
    }
  }
  for (const text of ['', 'bst_', 'x'.repeat(100_000), 'admin:default']) t.is(parseTokenText(text), undefined);
});
