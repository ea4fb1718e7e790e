// chokidar (the package named) with its defaults on the files or directories given. One line per event: KIND<TAB>PATH.
const { load, say } = require('./say.js');

load(process.argv[2]).then((chokidar) => {
  const watcher = (chokidar.watch ?? chokidar.default.watch)(process.argv.slice(3), { ignoreInitial: true });
  watcher.on('all', (kind, path) => say(`${kind}\t${path}`));
  watcher.on('error', (error) => say(`ERROR ${error}`));
  watcher.on('ready', () => say('READY'));
  // chokidar 4 may still place a watch after close(), for a directory made again just before: node then runs on (3 of 1,404 times, bare).
  process.once('SIGTERM', async () => {
    await watcher.close();
    say('STOPPED');
    process.exit();
  });
});
