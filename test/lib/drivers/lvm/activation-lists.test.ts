import test from 'ava';
import { checkActivationLists } from '../../../../lib/drivers/lvm/activation-lists.ts';
import { ChildProcesses, type RunResult } from '../../../../lib/process.ts';

/** A host with these settings, as lvmconfig prints them, and these host tags. */
class Host extends ChildProcesses {
  readonly settings: string;
  readonly tags: readonly string[];

  constructor(settings: string, tags: readonly string[]) {
    super();
    this.settings = settings;
    this.tags = tags;
  }

  override async run(_command: string, [name = '']: readonly string[]): Promise<RunResult> {
    const stdout = name === 'tags' ? this.tags.map((tag) => `  ${tag}\n`).join('') : this.settings;
    return { stdout, stderr: '' };
  }
}

const groupTags = ['site'];

/** Settings and host tags, and what is found for the group nova-volumes. */
const cases: readonly (readonly [settings: string, hostTags: readonly string[], found: RegExp | undefined])[] = [
  ['', [], undefined],
  ['volume_list="nova-volumes"', [], undefined],
  ['volume_list=["other","@blockstore"]', [], undefined],
  ['volume_list="@site"', [], undefined],
  ['volume_list=["@*"]', ['node1', 'site'], undefined],
  ['volume_list=["@*"]', ['blockstore'], undefined],
  ['volume_list=["@*"]', ['node1'], /volume_list in lvm.conf does not name it/],
  ['volume_list=["@*"]', [], /volume_list in lvm.conf does not name it/],
  ['volume_list=["@other"]', ['other'], /volume_list in lvm.conf does not name it/],
  ['volume_list=["nova-volumes/root"]', [], /volume_list in lvm.conf does not name it/],
  ['volume_list=[]', [], /volume_list in lvm.conf does not name it/],
  ['', ['node1', 'other'], /none of the host tags node1, other.*vgchange --addtag node1 nova-volumes/],
  ['', ['node1', 'site'], undefined],
  ['volume_list=["nova-volumes"]', ['node1'], undefined],
  ['read_only_volume_list=["@site"]', [], /read-only.*remove "@site" from/],
  ['read_only_volume_list=["nova-volumes"]', [], /read-only.*remove "nova-volumes" from/],
  ['read_only_volume_list=["@*"]', ['site'], /read-only.*remove "@\*" from/],
  ['read_only_volume_list=["nova-volumes/root","@other"]', [], undefined],
];

for (const [settings, hostTags, expected] of cases) {
  test(`${settings || 'no list'}, host tags: ${hostTags.join(', ') || 'none'}`, async (t) => {
    const host = new Host(`activation {\n\t${settings}\n}\n`, hostTags);
    const [found, ...others] = await checkActivationLists(host, 'nova-volumes', groupTags);
    t.deepEqual(others, []);
    if (expected === undefined) t.is(found, undefined);
    else t.regex(`${found?.message}; ${found?.hint}`, expected);
  });
}
