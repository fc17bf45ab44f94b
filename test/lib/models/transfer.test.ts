import { randomUUID } from 'node:crypto';
import test from 'ava';
import { isKey, newTransferKey, storedKey } from '../../../lib/models/transfer-key.ts';
import { parseTransfer } from '../../../lib/models/transfer-state.ts';
import { type TransitionName, transitions } from '../../../lib/models/transitions.ts';
import { editOf, isAllowed, endedWith } from '../../../lib/models/volume-edit.ts';
import { type VolumeState, contradiction, parseVolume } from '../../../lib/models/volume-state.ts';

const id = '0a1b2c3d-0000-4000-8000-000000000001';
const transfer = '0a1b2c3d-0000-4000-8000-000000000002';
const names = Object.keys(transitions).filter((name): name is TransitionName => Object.hasOwn(transitions, name));

function volumeWith(fields: Readonly<Record<string, string>>): VolumeState {
  const always = { size: '1', createTime: '1', node: 'n1', attachStatus: 'detached' };
  return parseVolume(id, { ...always, ...fields });
}

const offered = volumeWith({ status: 'awaiting-transfer', transfer, transferExpires: '5' });
const beingLabelled = volumeWith({ status: 'transferring', task: '{"kind":"relabel","key":"k"}' });

test('a volume that awaits its transfer can only be accepted, released, or restored, found missing, moved, attached or lost', (t) => {
  const isOfNoStatus = (name: TransitionName) => !('from' in transitions[name]) && !('during' in transitions[name]);
  t.deepEqual(
    names.filter((name) => isAllowed(name, offered) && !isOfNoStatus(name)),
    ['resumeRestore', 'endTransfer', 'acceptTransfer', 'leaveAgain', 'markMissing', 'restoreAttachment'],
  );
});

test('every change of status of an offered volume ends its transfer, in the same change set', (t) => {
  const leaving = names.filter((name) => isAllowed(name, offered) && 'set' in transitions[name]);
  t.true(leaving.length > 4);
  for (const name of leaving) {
    const { unset = [] } = editOf(offered, name);
    t.deepEqual(
      ['transfer', 'transferExpires'].filter((field) => !unset.includes(field)),
      [],
      name,
    );
    const ends = endedWith(offered, name);
    // An acceptance removes the record itself: it must be there.
    const expected =
      name === 'acceptTransfer' ? [] : [{ kind: 'transfer', id: transfer, remove: true, optional: true }];
    t.is(JSON.stringify(ends), JSON.stringify(expected), name);
  }
  t.deepEqual(endedWith(volumeWith({ status: 'available' }), 'markMissing'), []);
});

test('while the storage is labelled for a new owner, only the end of that and a loss are allowed', (t) => {
  const isOfNoStatus = (name: TransitionName) => !('from' in transitions[name]) && !('during' in transitions[name]);
  t.deepEqual(
    names.filter((name) => isAllowed(name, beingLabelled) && !isOfNoStatus(name)),
    ['finishRelabel', 'failRelabel'],
  );
});

test('status, transfer and task of a volume agree, or contradict each other', (t) => {
  t.is(contradiction(offered), undefined);
  t.is(contradiction(beingLabelled), undefined);
  const contradictions: [Record<string, string>, string][] = [
    [{ status: 'awaiting-transfer' }, 'is awaiting-transfer without a transfer'],
    [{ status: 'available', transfer }, 'is available with a transfer'],
    [
      { status: 'awaiting-transfer', transfer, attachStatus: 'attached', attachments: randomUUID() },
      'is awaiting-transfer and attached',
    ],
    [{ status: 'transferring' }, 'is transferring, detached without a task'],
    [{ status: 'available', task: '{"kind":"relabel","key":"k"}' }, 'is available, detached during its relabel'],
  ];
  for (const [fields, what] of contradictions) t.is(contradiction(volumeWith(fields)), what);
});

test('a key is right however it is read over, and no other is', async (t) => {
  const key = '0123-abcd-efgh-jkmn-pqrs-tvwx-yz01-2345';
  const stored = await storedKey(key);
  for (const given of [key, key.toUpperCase(), key.replaceAll('-', ''), ` ${key.replaceAll('-', ' ')}\n`]) {
    t.true(await isKey(given, stored), given);
  }
  t.true(await isKey(key.replaceAll('0', 'O').replaceAll('1', 'I'), stored));
  for (const given of ['', key.slice(1), `${key}0`, key.replace('a', 'b')]) t.false(await isKey(given, stored), given);
  t.notDeepEqual(await storedKey(key), stored, 'each has a salt of its own');
  t.false(await isKey(key, { ...stored, hash: stored.hash.slice(2) }));
});

test('keys have 160 random bits in a form that is read over', (t) => {
  const keys = Array.from({ length: 1000 }, newTransferKey);
  t.is(new Set(keys).size, keys.length);
  for (const key of keys) t.regex(key, /^([0-9a-hjkmnp-tv-z]{4}-){7}[0-9a-hjkmnp-tv-z]{4}$/);
  const letters = new Set(keys.join(''));
  t.is(letters.size, 33, 'all 32 letters and the hyphen occur');
});

test('a record that cannot be read says why', (t) => {
  const whole = { volume: id, createTime: '1', expires: '2', salt: 's', hash: 'h', projectId: 'web' };
  t.like(parseTransfer(transfer, whole), { volume: id, withSnapshots: false, name: '', expires: 2 });
  t.true(parseTransfer(transfer, { ...whole, withSnapshots: 'true' }).withSnapshots);
  const broken: [Record<string, string>, RegExp][] = [
    [{ ...whole, volume: 'x' }, /is of volume "x"/],
    [{ ...whole, expires: '' }, /lacks its creation time or its end/],
    [{ ...whole, hash: '' }, /lacks the hash of its key/],
  ];
  for (const [hash, message] of broken) t.throws(() => parseTransfer(transfer, hash), { message });
});
