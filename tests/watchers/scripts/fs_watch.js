// fs.watch of node, or of bun, on each file or directory given, with --recursive before them with all that is
// below. One line per event: KIND<TAB>PATH.
const fs = require('node:fs');
const path = require('node:path');
const { say } = require('./say.js');

const recursive = process.argv[2] === '--recursive';
const watchers = process.argv.slice(recursive ? 3 : 2).map((watched) => {
  // A file is named by its own name.
  const below = fs.statSync(watched).isDirectory();
  return fs.watch(watched, { recursive }, (kind, name) => say(`${kind}\t${below ? path.join(watched, name ?? '') : watched}`))
    .on('error', (error) => say(`ERROR ${error}`));
});

// Closing and nothing else: the process ends by itself only if the watchers let go of the loop.
process.once('SIGTERM', () => {
  watchers.forEach((w) => w.close());
  say('STOPPED');
});
say('READY');
