import test from 'ava';
import { tryParseLocation } from '../../../../lib/drivers/rbd/location.ts';

const fsid = '0b9a2b1c-5d3e-4f60-9a71-8c2d3e4f5a6b';

test('the location of an image has four parts, each percent-encoded', (t) => {
  t.deepEqual(tryParseLocation(`rbd://${fsid}/images/5f1c/snap`), {
    fsid,
    pool: 'images',
    image: '5f1c',
    snapshot: 'snap',
  });
  t.deepEqual(tryParseLocation(`rbd://${fsid}/my%20images/%C3%A4%25/a%3Ab`), {
    fsid,
    pool: 'my images',
    image: 'ä%',
    snapshot: 'a:b',
  });
});

for (const location of [
  '',
  'images/5f1c',
  'rbd:images/5f1c@snap',
  'rbd://5f1c',
  `rbd://${fsid}/images/5f1c`,
  `rbd://${fsid}/images/5f1c/snap/more`,
  `rbd://${fsid}/images//snap`,
  `rbd:///images/5f1c/snap`,
  `rbd://${fsid}/images/5f1c/%E4`,
  `rbd://${fsid}/images/other%2Fimage/snap`,
  `rbd://${fsid}/images/image%40snap/snap`,
  `rbd://${fsid}/--conf=x/5f1c/snap`,
  `rbd://${fsid}/images/5f1c/a%0Ab`,
  `file:///etc/passwd`,
  `RBD://${fsid}/images/5f1c/snap`,
]) {
  test(`no location of an image: ${JSON.stringify(location)}`, (t) => {
    t.is(tryParseLocation(location), undefined);
  });
}
