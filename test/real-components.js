/** Test files of libraries that start vblade, tc, tgtd (or its stand-in) or libvirt: they would make the inner loop half as long again. */
export const realComponents = [
  'test/lib/targets/aoe/{access-filter,discover,interface,setup,strangers,target,watch}.test.ts',
  'test/lib/targets/iscsi-tgt/{conformance,real,target}.test.ts',
  'test/lib/connectors/libvirt.test.ts',
];
