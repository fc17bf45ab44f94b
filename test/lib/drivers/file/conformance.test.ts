import { FileDriver } from '../../../../lib/drivers/file/driver.ts';
import { readBlock, writeBlock } from '../data.ts';
import { someCasesOf, testCases, totalBytes } from '../run-cases.ts';

testCases('file', (directory) => new FileDriver({ directory, poolBytes: totalBytes }), {
  write: writeBlock,
  read: readBlock,
  cases: someCasesOf,
});
