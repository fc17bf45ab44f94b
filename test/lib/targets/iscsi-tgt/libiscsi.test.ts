import { truncate } from 'node:fs/promises';
import test from 'ava';
import { execa } from 'execa';
import { newChap } from '../../../../lib/models/chap.ts';
import { libiscsiResults } from '../libiscsi-results.ts';
import { Place, initiators } from './place.ts';
import { qemuLogin } from './qemu-session.ts';
import { missingForReal } from './requirements.ts';

/** The conformance test of libiscsi against an export of the real tgtd. To run it: npm run test:all -- --part iscsi-conformance */

const isChosen = process.env['ISCSI_CASES'] === 'all';
const real = isChosen && (await missingForReal()) === undefined ? test : test.skip;

/** With the reasons in docs/drivers.md. */
const failing = [
  'GetLBAStatus.BeyondEol',
  'PrinServiceactionRange.Range',
  'ProutReserve.OwnershipEA',
  'ProutReserve.OwnershipEARO',
  'ProutReserve.OwnershipWE',
  'ProutReserve.OwnershipWERO',
  'Reserve6.2Initiators',
  'iSCSIdatasn.iSCSIDataSnInvalid',
];

real('of the conformance test of libiscsi on the real tgtd only the known tests fail', async (t) => {
  t.timeout(20 * 60_000);
  const place = await Place.create(qemuLogin);
  t.teardown(() => place.remove());
  const target = await place.target();
  const chap = newChap();
  const spec = { ...(await place.volume()), hosts: initiators, chap };
  await truncate(spec.path, 100 * 2 ** 20);
  await target.ensureExport(spec);
  const before = await place.daemon();
  const [one, other] = initiators;
  const login = `${chap.user}%${chap.secret}@127.0.0.1:${place.port}`;
  const url = `iscsi://${login}/iqn.2010-10.org.openstack:volume-${spec.id}/1`;
  const args = ['--dataloss', '-n', '-t', 'ALL', '-i', one, '-I', other, url];
  const { stdout } = await execa('iscsi-test-cu', args, { all: true, reject: false, timeout: 18 * 60_000 });
  const { failed, summary } = libiscsiResults(stdout);
  t.log(summary);
  t.deepEqual(failed, failing, stdout);
  t.truthy(summary, 'it came to its end');
  t.deepEqual(await place.daemon(), before, 'tgtd has not ended');
});
