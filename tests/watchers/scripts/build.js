// A build of the directory given, 50 ms after the last change there. Meanwhile it holds a lock, which is a file
// in that directory. One line per build: BUILT.
const fs = require('node:fs');
const path = require('node:path');
const { say } = require('./say.js');

const [directory] = process.argv.slice(2);
const lock = path.join(directory, 'build.lock');
fs.writeFileSync(lock, '');

function build() {
  const held = fs.openSync(lock, 'r+');
  say('BUILT');
  fs.closeSync(held);
}

let soon;
const watcher = fs.watch(directory, () => {
  clearTimeout(soon);
  soon = setTimeout(build, 50);
});
process.once('SIGTERM', () => {
  clearTimeout(soon);
  watcher.close();
  say('STOPPED');
});
say('READY');
