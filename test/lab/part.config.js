import lab from './ava.config.js';
import { longestLabFiles } from './longest-files.ts';

/** The part `lab` of `npm run test:all`. */
export default { ...lab, files: [...lab.files, ...longestLabFiles.map((name) => `!test/lab/${name}.test.ts`)] };
