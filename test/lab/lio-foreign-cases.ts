import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { silentLog } from '../../lib/log.ts';
import { newChap } from '../../lib/models/chap.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { checkPortal } from '../../lib/targets/iscsi-tgt/check.ts';
import { IscsiTgtTarget } from '../../lib/targets/iscsi-tgt/target.ts';
import type { ExportSpec } from '../../lib/targets/target.ts';
import { until } from '../support/until.ts';
import { type LioMachine, kernelRoot, prefix } from './lio-machine.ts';

/** Other programs and the kernel's target: what they have there, what they restore, what they listen on. */
export function foreignCases(machine: LioMachine): { title: string; run: () => Promise<void> }[] {
  const [host, otherHost] = machine.hosts;
  const volume = async (): Promise<ExportSpec> => ({ ...(await machine.volume()), hosts: [host], chap: newChap() });
  const saved = '/run/saveconfig.json';

  return [
    {
      title: "others' targets are listed without an id and left alone, also where they are named as ours are",
      run: async () => {
        const target = await machine.target();
        const theirs = await machine.volume();
        const name = `${prefix}volume-${theirs.id}`;
        const theirGroup = `${kernelRoot}/iscsi/${name}/tpgt_1`;
        const core = `${kernelRoot}/core/fileio_0/${name}`;
        await machine.sh(`mkdir -p ${core} && cd ${core} && printf fd_dev_name=${theirs.path},fd_dev_size=1048576 >control
        echo ${theirs.path} >udev_path; echo 1 >enable; mkdir -p ${theirGroup}/lun/lun_0 ${theirGroup}/np/127.0.0.1:3260
        ln -s ${core} ${theirGroup}/lun/lun_0/x; echo 1 >${theirGroup}/attrib/generate_node_acls; echo 1 >${theirGroup}/enable`);
        const spec = await volume();
        await target.ensureExport(spec);
        const before = await machine.state();
        const found = (await target.listExports()).find(({ path }) => path === theirs.path);
        assert.equal(found?.id, undefined);
        assert.equal(found?.address, `127.0.0.1:3260,1 ${name} 0`);
        assert.deepEqual(await target.listTraces(), [spec.id]);
        assert.equal(await machine.state(), before);
        await target.removeExport(spec.id);
        await machine.sh(`cd ${theirGroup} && rm lun/lun_0/x && rmdir lun/lun_0 np/* && cd / && rmdir ${theirGroup} \\
        ${kernelRoot}/iscsi/${name} ${core}`);
      },
    },
    {
      title: 'a program, or a target of the kernel, on the port is named',
      run: async () => {
        const server = createServer().listen(machine.portal.port, '0.0.0.0');
        await once(server, 'listening');
        const taken = (words: RegExp) => ({ code: 'PortalUnusable', message: words });
        await assert.rejects(machine.target(), taken(new RegExp(`process ${process.pid}`)));
        server.close();
        await once(server, 'close');
        const theirs = `${kernelRoot}/iscsi/iqn.2001-04.com.example:theirs`;
        await machine.sh(`mkdir -p ${theirs}/tpgt_1/np/0.0.0.0:3260`);
        await assert.rejects(machine.target(), taken(/iqn\.2001-04\.com\.example:theirs, at 0\.0\.0\.0:3260, listens/));
        const target = machine.made();
        await assert.rejects(target.ensureExport(await volume()), taken(/iqn\.2001-04\.com\.example:theirs/));
        assert.deepEqual(await target.listTraces(), []);
        await machine.sh(`rmdir ${theirs}/tpgt_1/np/0.0.0.0:3260 ${theirs}/tpgt_1 ${theirs}`);
        await target.setup();
      },
    },
    {
      title: "with iscsi-tgt a target of the kernel on the port is named, also by doctor; the kernel's own share it",
      run: async () => {
        const { portal } = machine;
        const flags = { iscsi_ip_address: portal.ip, iscsi_port: portal.port };
        const options = { portal, targetPrefix: prefix, chap: true, durability: 'sync', stateDir: '/run/tgt' } as const;
        const tgt = new IscsiTgtTarget(options, { processes: new ChildProcesses(), log: silentLog });
        const theirs = `${kernelRoot}/iscsi/iqn.2001-04.com.example:theirs`;
        for (const [at, isShared] of [
          ['127.0.0.1:3260', true],
          ['0.0.0.0:3260', false],
        ] as const) {
          await machine.sh(`mkdir -p ${theirs}/tpgt_1/np/${at}`);
          const taken = {
            code: 'PortalUnusable',
            message: new RegExp(`com\\.example:theirs, at ${at}, listens there$`),
          };
          await assert.rejects(tgt.setup(), taken);
          await assert.rejects(checkPortal(flags), taken);
          if (isShared) await (await machine.target()).ensureExport(await volume());
          else await assert.rejects(machine.target(), taken);
          await machine.reset();
          await machine.sh(`rmdir ${theirs}/tpgt_1/np/${at} ${theirs}/tpgt_1 ${theirs}`);
        }
        const own = await volume();
        await (await machine.target()).ensureExport(own);
        await assert.rejects(tgt.setup(), { code: 'PortalUnusable', message: new RegExp(`volume-${own.id}, at `) });
        await assert.rejects(readFile('/run/tgt/iscsi/tgtd.log'), { code: 'ENOENT' }, 'none was started');
      },
    },
    {
      title: 'what targetctl restores is none of ours, and is replaced or removed; also under a daemon',
      run: async () => {
        const first = await machine.target();
        const [kept, detached] = [await volume(), await volume()];
        for (const spec of [kept, detached]) await first.ensureExport(spec);
        await machine.sh(`mkdir -p /etc/rtslib-fb-target; targetctl save ${saved}`); // the package does not make the directory
        await first.removeExport(detached.id);
        const later = { ...kept, chap: newChap() };
        await first.ensureExport(later); // attached again, to the same host
        // It fails where the daemon makes the target at the same time.
        await machine.sh(`targetctl restore ${saved} || true`);
        await until(async () => {
          const session = await machine.login(later, host, later.chap);
          await session.close();
          return true;
        }, 'the daemon has replaced it');
        await assert.rejects(machine.login(kept, host, kept.chap));
        await first.close();

        await machine.sh(`targetctl restore ${saved}`); // as at the next boot, before the daemon
        const next = machine.made();
        assert.deepEqual(
          (await next.listExports()).map(({ id }) => id),
          [undefined, undefined],
          'they prove no attachment',
        );
        assert.deepEqual((await next.listTraces()).toSorted(), [kept.id, detached.id].toSorted(), 'they are found');
        await next.setup();
        const moved = { ...kept, hosts: [otherHost], chap: newChap() };
        await next.ensureExport(moved);
        await next.removeExport(detached.id);
        assert.deepEqual(await next.listExports(), [moved]);
        assert.deepEqual(await next.listTraces(), [kept.id]);
        for (const spec of [kept, detached]) await assert.rejects(machine.login(spec, host, spec.chap));
        await (await machine.login(moved, otherHost, moved.chap)).close();
      },
    },
  ];
}
