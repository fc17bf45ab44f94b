import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import type { DriverContext, VolumeDriver } from '../../lib/drivers/driver.ts';
import { FileDriver } from '../../lib/drivers/file/driver.ts';
import { LvmDriver } from '../../lib/drivers/lvm/driver.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import { AoeTarget } from '../../lib/targets/aoe/target.ts';
import { NoneTarget } from '../../lib/targets/none.ts';
import type { Target } from '../../lib/targets/target.ts';
import type { Backend } from '../node/backend.ts';

/** The backend that flags describe, named after its driver. Nothing is started or touched yet. */
export function makeBackend(flags: Flags, context: DriverContext): Backend {
  const driver = makeDriver(flags, context);
  return { name: driver.name, driver, target: makeTarget(flags, context) };
}

function makeDriver(flags: Flags, context: DriverContext): VolumeDriver {
  if (flags.fake_storage || flags.volume_driver === 'fake') {
    return new FakeDriver({ totalBytes: flags.fake_storage_bytes });
  }
  if (flags.volume_driver === 'file') return new FileDriver({ directory: flags.volume_pool_dir });
  return new LvmDriver(
    {
      volumeGroup: flags.volume_group,
      storageDev: flags.storage_dev,
      storageCreate: flags.storage_create,
      volumeClear: flags.volume_clear,
      volumeClearMiBps: flags.volume_clear_mibps,
      numShellTries: flags.num_shell_tries,
      stateDir: flags.state_dir,
    },
    context,
  );
}

function makeTarget(flags: Flags, context: DriverContext): Target {
  if (flags.fake_storage || flags.volume_target === 'none') return new NoneTarget();
  return new AoeTarget(
    {
      interface: flags.aoe_eth_dev,
      durability: flags.aoe_durability,
      stateDir: flags.state_dir,
      numShellTries: flags.num_shell_tries,
    },
    context,
  );
}
