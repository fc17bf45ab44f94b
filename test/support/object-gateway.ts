import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AwsV4Signer } from 'aws4fetch';
import { execa } from 'execa';
import { CephCluster, withoutCeph } from './ceph.ts';
import { freePort } from './free-port.ts';
import { Hopeless, until } from './until.ts';

/** Why no service of objects can run here; undefined where one can. */
export const withoutGateway = withoutCeph ?? (existsSync('/usr/bin/radosgw') ? undefined : 'needs radosgw');

const keys = { accessKeyId: 'ACCESS', secretAccessKey: 'SECRET' };
const region = 'us-east-1';

/** Ceph's gateway, which speaks the S3 protocol, over a cluster of its own, with one bucket. It starts in about fifteen seconds. */
export class ObjectGateway {
  readonly url: string;
  /** Has the keys of a user. */
  readonly keyFile: string;
  private readonly cluster: CephCluster;
  private readonly server: { stop(): void; ended: Promise<unknown> };

  static async start(): Promise<ObjectGateway> {
    const cluster = await CephCluster.create();
    try {
      return await ObjectGateway.over(cluster);
    } catch (error) {
      await cluster.remove();
      throw error;
    }
  }

  private static async over(cluster: CephCluster): Promise<ObjectGateway> {
    const port = await freePort();
    const conf = await cluster.createUser('rgw.a', ['mon', 'allow rw', 'osd', 'allow rwx']);
    const frontend = `beast endpoint=127.0.0.1:${port}`;
    const pools = '--rgw-rados-pool-pg-num-min=1';
    const words = ['-f', '-n', 'client.rgw.a', '-c', conf, '--rgw-frontends', frontend, pools, '--log-to-stderr=true'];
    const child = execa('radosgw', words, { reject: false, forceKillAfterDelay: 5000 });
    let end = '';
    const ended = child.then(({ stderr }) => {
      end = `it has ended: ${stderr.slice(-2000)}`;
    });
    const keyFile = path.join(cluster.directory, 'keys');
    await writeFile(keyFile, `${keys.accessKeyId}\n${keys.secretAccessKey}\n`);
    const server = { stop: () => child.kill('SIGKILL'), ended };
    const gateway = new ObjectGateway(`http://127.0.0.1:${port}/backups`, keyFile, cluster, server);
    await until(async () => {
      if (end !== '') throw new Hopeless(end);
      return (await fetch(`http://127.0.0.1:${port}/`)).status === 200;
    }, 'radosgw answers');
    const user = [
      '--uid=user',
      '--display-name=user',
      `--access-key=${keys.accessKeyId}`,
      `--secret=${keys.secretAccessKey}`,
    ];
    await execa('radosgw-admin', ['--conf', cluster.conf, 'user', 'create', ...user], { timeout: 120_000 });
    const signer = new AwsV4Signer({ method: 'PUT', url: gateway.url, service: 's3', region, ...keys });
    const { url, headers } = await signer.sign();
    const made = await fetch(url, { method: 'PUT', headers });
    if (made.status !== 200) throw new Error(`no bucket: ${made.status} ${await made.text()}`);
    return gateway;
  }

  private constructor(url: string, keyFile: string, cluster: CephCluster, server: ObjectGateway['server']) {
    this.url = url;
    this.keyFile = keyFile;
    this.cluster = cluster;
    this.server = server;
  }

  async stop(): Promise<void> {
    this.server.stop();
    await this.server.ended;
    await this.cluster.remove();
  }
}
