// vite's development server in the directory given. One line per change it acts upon: KIND<TAB>PATH.
const { load, say } = require('./say.js');

load('vite').then(async ({ createServer }) => {
  const server = await createServer({
    root: process.argv[2],
    cacheDir: process.argv[3],
    configFile: false,
    logLevel: 'silent',
    server: { port: 0, ws: false },
  });
  server.watcher.on('all', (kind, path) => say(`${kind}\t${path}`));
  await server.listen(0);
  process.once('SIGTERM', () => server.close().then(() => say('STOPPED')));
});
