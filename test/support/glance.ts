import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { freePort } from './free-port.ts';
import { Hopeless, until } from './until.ts';

/** Why no image service can run here; undefined where one can. */
export const withoutGlance = existsSync('/usr/bin/glance-api') ? undefined : 'needs glance-api';

interface Server {
  stop(): void;
  ended: Promise<unknown>;
}

interface CephPool {
  conf: string;
  pool: string;
}

/**
 * OpenStack's image service with a database of its own, without authentication; its images are in files of its own, or in a Ceph pool. It
 * starts in about six seconds.
 */
export class GlanceService {
  readonly url: string;
  private readonly directory: string;
  private readonly server: Server;

  static async start(place?: CephPool): Promise<GlanceService> {
    const directory = await mkdtemp(join(tmpdir(), 'glance-'));
    const port = await freePort();
    const file = join(directory, 'glance-api.conf');
    for (const name of ['images', 'locks', 'staging']) await mkdir(join(directory, name));
    await writeFile(file, configuration(directory, port, place ? inCeph(place) : inFiles(directory)));
    await execa('glance-manage', ['--config-file', file, 'db_sync']);
    const child = execa('glance-api', ['--config-file', file], { reject: false, forceKillAfterDelay: 5000 });
    let end = '';
    const ended = child.then(({ stderr }) => {
      end = `it has ended: ${stderr.slice(-2000)}`;
    });
    const stop = () => child.kill();
    const service = new GlanceService(directory, `http://127.0.0.1:${port}`, { stop, ended });
    await until(async () => {
      if (end !== '') throw new Hopeless(end);
      return (await fetch(`${service.url}/healthcheck`)).status === 200;
    }, 'glance-api answers');
    return service;
  }

  private constructor(directory: string, url: string, server: Server) {
    this.directory = directory;
    this.url = url;
    this.server = server;
  }

  async stop(): Promise<void> {
    this.server.stop();
    await this.server.ended;
    await rm(this.directory, { recursive: true });
  }
}

function inFiles(directory: string): string {
  return `stores = file
default_store = file
filesystem_store_datadir = ${directory}/images`;
}

function inCeph({ conf, pool }: CephPool): string {
  return `stores = rbd
default_store = rbd
rbd_store_ceph_conf = ${conf}
rbd_store_pool = ${pool}
rbd_store_user = admin`;
}

function configuration(directory: string, port: number, store: string): string {
  return `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${port}
workers = 0
show_image_direct_url = true
show_multiple_locations = true
node_staging_uri = file://${directory}/staging
[database]
connection = sqlite:///${directory}/glance.sqlite
[glance_store]
${store}
[oslo_concurrency]
lock_path = ${directory}/locks
[paste_deploy]
config_file = /usr/share/glance-common/glance-api-paste.ini
`;
}
