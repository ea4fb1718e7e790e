// The watchers on node that place a watch per directory or per file, on the whole tree given:
// fs.watch, chokidar or @parcel/watcher. One line per event: KIND<TAB>PATH.
const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const say = (line) => fs.writeSync(1, line + '\n');
// import(), because some of them are no longer CommonJS; it does not know NODE_PATH.
const load = (name) => import(pathToFileURL(require.resolve(name)));

const start = {
  async 'fs.watch'(dir) {
    const watcher = fs.watch(dir, { recursive: true }, (kind, name) =>
      say(`${kind}\t${path.join(dir, name ?? '')}`));
    watcher.on('error', (error) => say(`ERROR ${error}`));
    return () => watcher.close();
  },

  async chokidar(dir) {
    const chokidar = await load('chokidar');
    const watcher = (chokidar.watch ?? chokidar.default.watch)(dir, { ignoreInitial: true });
    watcher.on('all', (kind, path) => say(`${kind}\t${path}`));
    watcher.on('error', (error) => say(`ERROR ${error}`));
    await new Promise((ready) => watcher.on('ready', ready));
    return () => watcher.close();
  },

  async '@parcel/watcher'(dir) {
    const { default: watcher } = await load('@parcel/watcher');
    // By default it hands its work to watchman where that is installed.
    const subscription = await watcher.subscribe(dir, (error, events) => {
      if (error) say(`ERROR ${error}`);
      for (const { type, path } of events ?? []) say(`${type}\t${path}`);
    }, { backend: 'inotify' });
    return () => subscription.unsubscribe();
  },
};

start[process.argv[2]](process.argv[3]).then((stop) => {
  // Stopping and nothing else: the process ends by itself only if the watcher lets go of the loop.
  process.once('SIGTERM', () => Promise.resolve(stop()).then(() => say('STOPPED')));
  say('READY');
});
