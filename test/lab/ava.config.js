import all from '../../ava.config.js';

export default { ...all, files: ['test/lab/**/*.test.ts'], timeout: '10m' };
