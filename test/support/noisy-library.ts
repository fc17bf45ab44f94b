/** Loaded before a daemon, as a library that prints and warns. */
process.on('SIGUSR2', () => {
  console.error('by a library');
  process.emitWarning('by Node.js');
});
