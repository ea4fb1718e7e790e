// chokidar with its defaults on the directory given. One line per event: KIND<TAB>PATH.
const fs = require('node:fs');
const chokidar = require('chokidar');

const say = (line) => fs.writeSync(1, line + '\n');
const watcher = chokidar.watch(process.argv[2], { ignoreInitial: true });
watcher.on('all', (kind, path) => say(`${kind}\t${path}`));
watcher.on('error', (error) => say(`ERROR ${error}`));
watcher.on('ready', () => say('READY'));
process.once('SIGTERM', () => watcher.close().then(() => say('STOPPED')));
