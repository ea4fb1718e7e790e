// `vite build --watch` of main.js in the directory given. One line per change: KIND<TAB>PATH.
const path = require('node:path');
const { load, say } = require('./say.js');

load('vite').then(async ({ build }) => {
  const watcher = await build({
    root: process.argv[2],
    configFile: false,
    logLevel: 'silent',
    plugins: [{ name: 'say', watchChange: (id, { event }) => say(`${event}\t${id}`) }],
    build: {
      watch: {},
      outDir: process.argv[3],
      lib: { entry: path.join(process.argv[2], 'main.js'), formats: ['es'] },
    },
  });
  // An event may come before the listener; the last of each build says that its watches are placed.
  watcher.on('event', ({ code, result }) => {
    result?.close();
    if (code === 'END' || code === 'ERROR') say('READY');
  });
  process.once('SIGTERM', async () => {
    await watcher.close();
    say('STOPPED');
    // The native part keeps its worker threads; the command line ends with the terminal.
    process.exit(0);
  });
});
