import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { exitCodeMeanings } from '../../cli/exit-codes.ts';
import { buildProgram } from '../../cli/program.ts';
import { flagHelp } from '../../lib/flags/print.ts';
import { writeManPages } from '../../tools/man.ts';

let directory: string;
/** The formatted text of each page, by file name. */
const texts = new Map<string, string>();
/** The warnings of groff for each page. */
const warnings = new Map<string, string>();

test.before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'blockstore-man-'));
  for (const file of await writeManPages(directory)) {
    // Long lines, so that most text is not broken.
    const { stdout, stderr } = await execa('groff', ['-man', '-Tutf8', '-ww', '-rLL=300n', '-P-cbou', file]);
    texts.set(path.basename(file), stdout);
    warnings.set(path.basename(file), stderr);
  }
});
test.after.always(() => rm(directory, { recursive: true, force: true }));

const textOf = (name: string) => texts.get(name) ?? '';

test('there is a manual page for both programs and the configuration file, without warnings', (t) => {
  t.deepEqual([...texts.keys()].toSorted(), ['blockstore.1', 'blockstore.conf.5', 'blockstored.8']);
  for (const [name, text] of warnings) t.is(text, '', name);
  for (const [name, text] of texts) t.regex(text, /^NAME\n +\S+ - \S.*\n/m, name);
});

test('blockstore(1) documents every command, option and exit code', (t) => {
  const text = textOf('blockstore.1');
  const commands = [buildProgram()];
  for (const command of commands) {
    commands.push(...command.createHelp().visibleCommands(command));
    for (const { long } of command.options) t.true(text.includes(long ?? ''), `${command.name()} ${long}`);
  }
  for (const command of ['volume create', 'volume attach', 'node lost', 'audit', 'completion']) {
    t.regex(text, new RegExp(`^ +blockstore ${command} `, 'm'));
  }
  for (const [code, meaning] of exitCodeMeanings) t.regex(text, new RegExp(`^ +${code} +${meaning.slice(0, 12)}`, 'm'));
  t.regex(text, /^ +blockstore volume create 10 --name data$/m, 'examples are on lines of their own');
});

test('blockstore.conf(5) documents every flag with its default', (t) => {
  const text = textOf('blockstore.conf.5');
  for (const { name, initial } of flagHelp().flatMap(({ flags }) => flags)) {
    const [, entry = ''] = new RegExp(`^ +${name}(?:\\n| )([^]*?)\\n\\n`, 'm').exec(text) ?? [];
    t.true(entry.includes(`Default: ${initial}.`), `${name}: ${entry}`);
  }
});

test('blockstored(8) documents its options and signals', (t) => {
  const text = textOf('blockstored.8');
  for (const option of ['--config FILE', '--print-config', '--embedded', 'SIGTERM, SIGINT']) {
    t.true(text.includes(option), option);
  }
});
