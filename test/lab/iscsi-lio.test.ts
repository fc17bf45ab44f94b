import { iscsiCases } from './iscsi-cases.ts';

await iscsiCases('iscsi-lio');
