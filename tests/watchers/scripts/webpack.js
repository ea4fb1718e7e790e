// `webpack --watch` of main.js in the directory given. One line per file changed: KIND<TAB>PATH.
const path = require('node:path');
const { load, say } = require('./say.js');

load('webpack').then(({ default: webpack }) => {
  const compiler = webpack({
    context: process.argv[2],
    entry: path.join(process.argv[2], 'main.js'),
    output: { path: process.argv[3] },
    mode: 'development',
  });
  compiler.hooks.watchRun.tap('say', ({ modifiedFiles, removedFiles }) => {
    for (const file of modifiedFiles ?? []) say(`modified\t${file}`);
    for (const file of removedFiles ?? []) say(`removed\t${file}`);
  });
  // A file that is gone is an error of the build and not of the watching.
  const watching = compiler.watch({}, () => process.nextTick(say, 'READY'));
  process.once('SIGTERM', () => watching.close(() => say('STOPPED')));
});
