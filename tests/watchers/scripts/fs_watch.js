// node's own fs.watch on each directory given. One line per event: KIND<TAB>PATH.
const fs = require('node:fs');
const path = require('node:path');

const say = (line) => fs.writeSync(1, line + '\n');
const watchers = process.argv.slice(2).map((dir) =>
  fs.watch(dir, (kind, name) => say(`${kind}\t${path.join(dir, name ?? '')}`)));

// Closing and nothing else: the process ends by itself only if the watchers let go of the loop.
process.once('SIGTERM', () => {
  watchers.forEach((w) => w.close());
  say('STOPPED');
});
say('READY');
