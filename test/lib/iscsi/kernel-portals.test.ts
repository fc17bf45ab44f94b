import test from 'ava';
import { kernelPortalOn } from '../../../lib/iscsi/kernel-portals.ts';
import { checkPortalUsable } from '../../../lib/iscsi/portal.ts';
import { freePort } from '../../support/free-port.ts';
import { ConfigfsStandIn } from '../targets/iscsi-lio/configfs-stand-in.ts';

const theirs = 'iscsi/iqn.2001-04.com.example:theirs';

async function kernelWith(portal: string): Promise<ConfigfsStandIn> {
  const kernel = new ConfigfsStandIn();
  const group = `${theirs}/tpgt_1`;
  for (const path of ['iscsi', theirs, group, `${group}/np/${portal}`]) await kernel.create(path);
  return kernel;
}

test("what of the kernel's own target is in the way of a program's portal is named", async (t) => {
  const port = await freePort();
  for (const [at, ip] of [
    [`127.0.0.1:${port}`, '127.0.0.1'],
    [`0.0.0.0:${port}`, '127.0.0.1'],
    [`[::]:${port}`, '127.0.0.1'],
    [`[0:0::1]:${port}`, '::1'],
    [`[::]:${port}`, '::1'],
  ] as const) {
    const words = `: the kernel's iSCSI target iqn.2001-04.com.example:theirs, at ${at}, listens there`;
    const error = await t.throwsAsync(checkPortalUsable({ ip, port }, await kernelWith(at)), {
      code: 'PortalUnusable',
    });
    t.true(error?.message.endsWith(words), error?.message);
  }
});

test("portals of the kernel's target on other addresses and ports are not in the way", async (t) => {
  const portal = { ip: '127.0.0.1', port: 3260 };
  for (const at of ['127.0.0.1:3261', '127.0.0.2:3260', '[::1]:3260']) {
    t.is(await kernelPortalOn(portal, await kernelWith(at)), undefined, at);
  }
  t.is(await kernelPortalOn({ ip: '::1', port: 3260 }, await kernelWith('0.0.0.0:3260')), undefined);
  t.is(await kernelPortalOn(portal, new ConfigfsStandIn()), undefined);
});

test("the kernel's targets share a portal, but not with one on all addresses", async (t) => {
  const portal = { ip: '::1', port: 3260 };
  t.like(await kernelPortalOn(portal, await kernelWith('[0:0::1]:3260')), { isSame: true });
  t.like(await kernelPortalOn(portal, await kernelWith('[::]:3260')), { isSame: false });
});
