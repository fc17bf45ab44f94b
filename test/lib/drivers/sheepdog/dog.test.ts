import test from 'ava';
import { CommandError } from '../../../../lib/command-error.ts';
import { SheepdogDriver } from '../../../../lib/drivers/sheepdog/driver.ts';
import { LoggedCommands } from '../../../support/logged-commands.ts';
import { spec } from '../conformance.ts';

const ended = { command: 'dog', signal: undefined, timedOut: false, cancelled: false, notFound: false, stdout: '' };

test('the commands of a create, each with the place of the cluster, and none as root', async (t) => {
  const volume = spec();
  const name = `volume-${volume.id}`;
  let value: string | undefined;
  let list = '';
  const commands = new LoggedCommands((line) => {
    if (line.includes(' create ')) list = `= ${name} 0 ${volume.sizeBytes} 0 0 1372189901 1a 3  22`;
    if (line.includes(' setattr ')) value = line.split(' ').at(-1);
    if (line.includes(' getattr ')) return value ?? '';
    return line.includes('node info') ? 'Total 3221225472 0 3221225472 0% 0' : list;
  });
  const driver = new SheepdogDriver({ address: '2001:db8::7', port: 7001, copies: 3 }, { processes: commands });
  await driver.createVolume(volume);
  const at = '-a 2001:db8::7 -p 7001';
  t.deepEqual(commands.lines, [
    `dog vdi list ${at} -r`,
    `dog node info ${at} -r`,
    `dog vdi list ${at} -r`,
    `dog vdi create ${at} ${name} 104857600`,
    `dog vdi list ${at} -r`,
    `dog vdi setattr ${at} ${name} blockstore user=user&project=project&size=0&id=${volume.id}`,
    `dog vdi getattr ${at} ${name} blockstore`,
  ]);
});

for (const [how, failure, message] of [
  [
    'does not answer in time',
    { exitCode: undefined, timedOut: true, stderr: '' },
    /does not answer: no answer within 60 s/,
  ],
  ['is killed', { exitCode: undefined, signal: 'SIGKILL', stderr: '' }, /does not answer: ended by SIGKILL/],
  ['fails without words', { exitCode: 1, stderr: '' }, /does not answer: exit code 1/],
] as const) {
  test(`a list that ${how} is an error that names the cluster`, async (t) => {
    const processes = new LoggedCommands(() => {
      throw new CommandError({ ...ended, ...failure });
    });
    const driver = new SheepdogDriver({ address: '2001:db8::7', port: 7001, copies: 3 }, { processes });
    await t.throwsAsync(driver.listVolumes(), { code: 'SheepdogUnavailable', message });
    await t.throwsAsync(driver.listVolumes(), { message: /the Sheepdog cluster at \[2001:db8::7\]:7001 / });
  });
}
