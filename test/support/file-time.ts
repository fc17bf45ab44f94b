/** Loaded by ava before each test file: notes how long the file takes, for the runner that named a file for that. */
import { appendFileSync } from 'node:fs';
import test from 'ava';

const file = process.env['TEST_FILE_TIMES'];
if (file !== undefined) {
  process.once('exit', () => appendFileSync(file, `${process.uptime().toFixed(1)} ${test.meta.file}\n`));
}
