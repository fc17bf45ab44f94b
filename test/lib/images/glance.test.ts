import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import test from 'ava';
import { Glance } from '../../../lib/images/glance.ts';
import { freePort } from '../../support/free-port.ts';
import { GlanceService, withoutGlance } from '../../support/glance.ts';
import { storeCases } from './store-cases.ts';

/** With OpenStack's own image service. */

let service: GlanceService | undefined;

test.before(async () => {
  if (withoutGlance === undefined) service = await GlanceService.start();
});

test.after.always(() => service?.stop());

const withGlance = withoutGlance === undefined ? test : test.skip;

function client(): Glance {
  return new Glance({ url: service?.url ?? '', token: async () => '' });
}

if (withoutGlance === undefined) storeCases('glance', async () => client());
else test.skip(`glance: ${withoutGlance}`, () => {});

withGlance('the address may have the version of the API at its end', async (t) => {
  const images = new Glance({ url: `${service?.url}/v2/`, token: async () => 'ignored' });
  await t.throwsAsync(images.show(randomUUID()), { code: 'ImageNotFound' });
});

withGlance('locations of the data are known where the service shows them', async (t) => {
  const images = client();
  const { id } = await images.create({ name: 'one', diskFormat: 'raw' });
  await images.upload(id, Readable.from([Buffer.from('data')]));
  t.regex((await images.show(id)).locations.join(), /^file:\/\//);
});

withGlance('an image that is protected is not removed', async (t) => {
  const images = client();
  const { id } = await images.create({ name: 'one', diskFormat: 'raw' });
  const protect = async (value: boolean) =>
    fetch(`${service?.url}/v2/images/${id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
      body: JSON.stringify([{ op: 'replace', path: '/protected', value }]),
    });
  t.is((await protect(true)).status, 200);
  await t.throwsAsync(images.remove(id), { code: 'ImageProtected' });
  await protect(false);
  await images.remove(id);
});

test('a service that is not there, and one that is none, are named', async (t) => {
  const url = `http://127.0.0.1:${await freePort()}`;
  await t.throwsAsync(new Glance({ url, token: async () => '' }).show(randomUUID()), {
    code: 'ImageServiceUnavailable',
    message: new RegExp(`image service ${url} cannot be used: .*ECONNREFUSED`),
  });
});
