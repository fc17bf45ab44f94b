import test from 'ava';
import { asError } from '../../../lib/errors.ts';
import { transfersOf } from '../../../lib/models/transfer.ts';
import { disagreements } from '../../support/agreement.ts';
import {
  type TransferPlace,
  attachment,
  deadline,
  newVolume,
  offer,
  receiver,
  transferPlace,
} from '../../support/transfers.ts';
import { until } from '../../support/until.ts';

/** Requests about one transfer at the same time: one of them is first, and the others learn it. */

let cluster: TransferPlace['cluster'];
let store: TransferPlace['store'];
let volumes: TransferPlace['volumes'];
let transfers: TransferPlace['transfers'];
let read: TransferPlace['read'];
let inProject: TransferPlace['inProject'];

test.beforeEach(async () => {
  ({ cluster, store, volumes, transfers, read, inProject } = await transferPlace());
});
test.afterEach.always(() => cluster.close());

test.serial('of two acceptances at once exactly one gets the volume', async (t) => {
  await cluster.node('n1');
  const { id } = await volumes.create(newVolume, deadline);
  let project = 'web';
  for (let round = 0; round < 10; round += 1) {
    const { transfer, key } = await transfers.create(id, offer);
    const receivers = [`one-${round}`, `two-${round}`, `three-${round}`];
    const ends = await Promise.allSettled(
      receivers.map((projectId) => transfers.accept(transfer.id, key, { userId: 'bob', projectId }, deadline)),
    );
    const winners = receivers.filter((_, index) => ends[index]?.status === 'fulfilled');
    const codes = ends.flatMap((end) => (end.status === 'rejected' ? [asError(end.reason).code] : []));
    t.deepEqual(codes, ['TransferRefused', 'TransferRefused'], `round ${round}`);
    project = (await read(id)).projectId;
    t.deepEqual(winners, [project]);
  }
  t.deepEqual(await inProject(project), [id]);
  t.deepEqual(await disagreements(store, []), []);
});

test.serial('an acceptance that is requested twice at once has one effect and the same end', async (t) => {
  await cluster.node('n1');
  const { id } = await volumes.create(newVolume, deadline);
  const { transfer, key } = await transfers.create(id, offer);
  const accept = () => transfers.accept(transfer.id, key, receiver, deadline);
  const ends = await Promise.all([accept(), accept()]);
  for (const end of ends) t.like(end, { id, ...receiver, status: 'available' });
  await t.throwsAsync(accept(), { code: 'TransferRefused' }, 'later the key is a used one');
  t.deepEqual(await disagreements(store, []), []);
});

test.serial('of an acceptance and the end of the transfer at once exactly one happens', async (t) => {
  await cluster.node('n1');
  const { id } = await volumes.create(newVolume, deadline);
  for (let round = 0; round < 10; round += 1) {
    const before = (await read(id)).projectId;
    const after = `project-${round}`;
    const { transfer, key } = await transfers.create(id, offer);
    const accept = () => transfers.accept(transfer.id, key, { userId: 'bob', projectId: after }, deadline);
    const end = () => transfers.delete(transfer.id);
    // Accepting hashes the key first: so that either can be first, its end is sometimes asked for later.
    const late = async () => {
      await until(async () => (await transfersOf(store).find(transfer.id)) === undefined, 'it was accepted');
      return end();
    };
    const [accepted, ended] = await Promise.allSettled([accept(), round % 2 === 0 ? end() : late()]);
    const isMoved = (await read(id)).projectId === after;
    t.is(accepted.status === 'fulfilled', isMoved, `round ${round}`);
    t.is(ended.status === 'fulfilled', !isMoved, `round ${round}`);
    if (!isMoved) t.is((await read(id)).projectId, before);
    if (accepted.status === 'rejected') t.is(asError(accepted.reason).code, 'TransferRefused');
    if (ended.status === 'rejected') t.is(asError(ended.reason).code, 'TransferNotFound');
    t.is((await read(id)).status, 'available');
  }
  t.deepEqual(await disagreements(store, []), []);
});

test.serial('an attach beside an acceptance is refused until the new owner has the volume', async (t) => {
  await cluster.node('n1');
  const { id } = await volumes.create(newVolume, deadline);
  for (let round = 0; round < 10; round += 1) {
    const projectId = `project-${round}`;
    const { transfer, key } = await transfers.create(id, offer);
    const attachAll = async () => {
      const codes = new Set<string>();
      const one = async () => {
        try {
          return await volumes.attach(id, attachment, deadline);
        } catch (error) {
          codes.add(asError(error).code);
          return undefined;
        }
      };
      const attached = await until(one, 'it can be attached');
      return { attached, codes: [...codes] };
    };
    const [moved, { attached, codes }] = await Promise.all([
      transfers.accept(transfer.id, key, { userId: 'bob', projectId }, deadline),
      attachAll(),
    ]);
    t.is(moved.projectId, projectId);
    t.like(attached, { projectId, status: 'in-use', attachStatus: 'attached' });
    t.deepEqual(new Set(codes), new Set(['WrongStatus']));
    await volumes.detach(id, deadline);
  }
});
