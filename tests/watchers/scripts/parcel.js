// @parcel/watcher on the directory given. One line per event: KIND<TAB>PATH.
const { load, say } = require('./say.js');

load('@parcel/watcher').then(async ({ default: watcher }) => {
  // By default it hands its work to watchman where that is installed.
  const subscription = await watcher.subscribe(process.argv[2], (error, events) => {
    if (error) say(`ERROR ${error}`);
    for (const { type, path } of events ?? []) say(`${type}\t${path}`);
  }, { backend: 'inotify' });
  process.once('SIGTERM', () => subscription.unsubscribe().then(() => say('STOPPED')));
  say('READY');
});
