import { BackupCommands } from '../../lib/client/backup-commands.ts';
import { cancelMigration } from '../../lib/client/cancel-migration.ts';
import { ImageCommands } from '../../lib/client/image-commands.ts';
import { MigrationCommands } from '../../lib/client/migration-commands.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { until } from '../support/until.ts';
import type { Copies } from './copies.ts';
import type { Place } from './place.ts';
import {
  type Cast,
  type CopyTask,
  type Scene,
  deadline,
  make,
  makeAttached,
  request,
  subject,
  takeSnapshot,
} from './scenes.ts';

type CopyScene =
  | CopyTask
  | 'copy-elsewhere'
  | 'clone-elsewhere'
  | 'migrate-attached'
  | 'cancel-migrate'
  | 'cancel-migrate-attached'
  | 'revert'
  | 'reimage'
  | 'create-from-image'
  | 'create-from-backup'
  | 'backup-of-snapshot'
  | 'backup-of-attached';

function copiesOf({ copies }: Place): Copies {
  if (!copies) throw new Error('this place has no stores of images and backups');
  return copies;
}

/** A volume with data, and empty stores. */
async function makeWithData(place: Place, cast: Cast): Promise<void> {
  await copiesOf(place).clear();
  await make(place, cast(subject));
  await copiesOf(place).write(cast(subject));
}

async function upload({ store }: Place, cast: Cast): Promise<void> {
  const commands = new ImageCommands(store, new RequestClient(store), 'volume');
  await commands.upload(cast(subject), cast('image'), deadline);
}

async function backUp({ store }: Place, cast: Cast): Promise<void> {
  const commands = new BackupCommands(store, new RequestClient(store), 'volume');
  await commands.create(cast(subject), cast('backup'), deadline);
}

async function migrate(place: Place, cast: Cast): Promise<void> {
  const migrations = new MigrationCommands(place.store, place.commands, 'volume');
  await migrations.migrate(cast(subject), { to: copiesOf(place).other }, deadline);
}

async function copyElsewhere(
  place: Place,
  id: string,
  origin: { fromSnapshot: string } | { fromVolume: string },
): Promise<void> {
  await place.commands.create({ ...request, id, node: copiesOf(place).other, ...origin }, deadline);
}

/** Returns once data are sent. */
async function beginToMigrate(place: Place, cast: Cast): Promise<void> {
  await copiesOf(place).writeMuch(cast(subject));
  const migrations = new MigrationCommands(place.store, place.commands, 'volume');
  await migrations.migrate(cast(subject), { to: copiesOf(place).other });
  const isSending = async () => ((await volumesOf(place.store).lookup(cast(subject))).progress ?? 0) > 0;
  await until(isSending, 'data are sent', deadline.deadlineMs);
}

async function cancel({ store, commands }: Place, cast: Cast): Promise<void> {
  await cancelMigration({ store, commands }, cast(subject), deadline);
}

/** One for every operation that copies data from or to the outside, or another backend. Add a new one here. */
export const copyScenes: Readonly<Record<CopyScene, Scene>> = {
  'create-from-image': {
    prepare: async (place, cast) => {
      await copiesOf(place).clear();
      await copiesOf(place).addImage(cast('image'));
    },
    ask: async (place, cast) => {
      const { first } = copiesOf(place);
      const copied = { ...request, id: cast(subject), node: first, fromImage: cast('image') };
      await place.commands.create(copied, deadline);
    },
    again: [],
  },
  upload: {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await copiesOf(place).newImage(cast('image'));
    },
    ask: upload,
    again: [],
  },
  backup: {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await copiesOf(place).newBackup(cast('backup'), cast(subject));
    },
    ask: backUp,
    again: [],
  },
  /** Of a volume that is attached. */
  'backup-of-snapshot': {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await makeAttached(place, cast(subject));
      await takeSnapshot(place, cast);
      await copiesOf(place).newBackup(cast('backup'), cast(subject));
    },
    ask: async (place, cast) => {
      const commands = new BackupCommands(place.store, new RequestClient(place.store), 'volume');
      const [target, isDone] = [cast('backup'), () => copiesOf(place).isBackedUp(cast('backup'))];
      await commands.copySnapshot(cast('snapshot'), { target, isDone }, deadline);
    },
    again: [],
  },
  /** By a snapshot that is there for that alone. */
  'backup-of-attached': {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await makeAttached(place, cast(subject));
      await copiesOf(place).newBackup(cast('backup'), cast(subject));
    },
    ask: async (place, cast) => {
      const commands = new BackupCommands(place.store, new RequestClient(place.store), 'volume');
      const [target, isDone] = [cast('backup'), () => copiesOf(place).isBackedUp(cast('backup'))];
      await commands.copyAttached(cast(subject), { target, isDone }, deadline);
    },
    again: [],
  },
  'create-from-backup': {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await copiesOf(place).newBackup(cast('backup'), cast(subject));
      await backUp(place, cast);
    },
    ask: async (place, cast) => {
      const { first } = copiesOf(place);
      const restored = { ...request, id: cast('restored'), node: first, fromBackup: cast('backup') };
      await place.commands.create(restored, deadline);
    },
    again: [],
  },
  /** Of a volume that was written to since. */
  restore: {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await copiesOf(place).newBackup(cast('backup'), cast(subject));
      await backUp(place, cast);
      await copiesOf(place).overwrite(cast(subject));
    },
    ask: async (place, cast) => {
      await place.commands.restore(cast(subject), { kind: 'backup', id: cast('backup') }, deadline);
    },
    again: [],
  },
  /** Of a volume that was written to since, and has an earlier snapshot. */
  revert: {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await takeSnapshot(place, cast);
      await copiesOf(place).overwrite(cast(subject));
    },
    ask: async (place, cast) => {
      await place.commands.restore(cast(subject), { kind: 'snapshot', id: cast('snapshot') }, deadline);
    },
    again: [],
  },
  reimage: {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await copiesOf(place).addImage(cast('image'));
    },
    ask: async (place, cast) => {
      await place.commands.restore(cast(subject), { kind: 'image', id: cast('image') }, deadline);
    },
    again: [],
  },
  /** From a snapshot of a volume that is attached and was written to since, to the other backend. */
  'copy-elsewhere': {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await makeAttached(place, cast(subject));
      await takeSnapshot(place, cast);
      await copiesOf(place).overwrite(cast(subject));
    },
    ask: (place, cast) => copyElsewhere(place, cast('copied'), { fromSnapshot: cast('snapshot') }),
    again: [],
  },
  'clone-elsewhere': {
    prepare: makeWithData,
    ask: (place, cast) => copyElsewhere(place, cast('copied'), { fromVolume: cast(subject) }),
    again: [],
  },
  /** To the other backend, of the same daemon: it is killed at both ends. */
  migrate: {
    prepare: makeWithData,
    ask: migrate,
    again: ['SamePlace'],
  },
  /** With an export that can move. */
  'migrate-attached': {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await makeAttached(place, cast(subject));
    },
    ask: migrate,
    again: ['SamePlace'],
  },
  /** While its data are sent. */
  'cancel-migrate': {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await beginToMigrate(place, cast);
    },
    ask: cancel,
    again: ['NotMigrating'],
  },
  'cancel-migrate-attached': {
    prepare: async (place, cast) => {
      await makeWithData(place, cast);
      await makeAttached(place, cast(subject));
      await beginToMigrate(place, cast);
    },
    ask: cancel,
    again: ['NotMigrating'],
  },
};
