import test from 'ava';
import { libiscsiResults } from '../lib/targets/libiscsi-results.ts';
import { Lab } from './lab.ts';
import { missingForLio } from './requirements.ts';

/** The conformance test of libiscsi against an export of the kernel (LIO). To run it: npm run test:all -- --part lio-libiscsi */

const isChosen = process.env['ISCSI_CASES'] === 'all';
const onLab = isChosen && (await missingForLio()) === undefined ? test : test.skip;

/** With the reasons in docs/drivers.md. */
const failing = [
  'CompareAndWrite.Miscompare',
  'CompareAndWrite.Simple',
  'PrinReadKeys.Truncate',
  'PrinReportCapabilities.Simple',
  'ProutClear.Simple',
  'ProutPreempt.RemoveRegistration',
  'ProutRegister.Simple',
  'ProutReserve.AccessEA',
  'ProutReserve.AccessEAAR',
  'ProutReserve.AccessEARO',
  'ProutReserve.AccessWE',
  'ProutReserve.AccessWEAR',
  'ProutReserve.AccessWERO',
  'ProutReserve.OwnershipEA',
  'ProutReserve.OwnershipEAAR',
  'ProutReserve.OwnershipEARO',
  'ProutReserve.OwnershipWE',
  'ProutReserve.OwnershipWEAR',
  'ProutReserve.OwnershipWERO',
  'ProutReserve.Simple',
  'ReceiveCopyResults.CopyStatus',
  'Verify10.Dpo',
  'Verify10.Mismatch',
  'Verify10.VerifyProtect',
  'Verify16.Dpo',
  'Verify16.Mismatch',
  'Verify16.VerifyProtect',
  'iSCSIResiduals.Write10Residuals',
  'iSCSIResiduals.Write12Residuals',
  'iSCSIResiduals.Write16Residuals',
  'iSCSIResiduals.WriteVerify10Residuals',
  'iSCSIResiduals.WriteVerify16Residuals',
  'iSCSIdatasn.iSCSIDataSnInvalid',
];

onLab("of the conformance test of libiscsi on the kernel's target only the known tests fail", async (t) => {
  t.timeout(38 * 60_000);
  const lab = await Lab.create();
  t.teardown(() => lab.close());
  const { output } = await lab.node(1).run('node test/lab/lio-libiscsi.ts /dev/ubda 2>&1', { timeoutMs: 35 * 60_000 });
  const { failed, summary } = libiscsiResults(output);
  t.log(summary);
  t.deepEqual(failed, failing, output);
  t.truthy(summary, 'it came to its end');
});
