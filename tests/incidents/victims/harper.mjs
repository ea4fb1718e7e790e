// The victim of incident 2, in the shape of Harper: a server of four worker threads, each of which watches
// the component directories with chokidar. A change restarts the workers: new ones are started beside the
// old, which end once the requests they have are answered.
//
// `harper.mjs COMPONENTS` prints `READY PID`, then `change KIND PATH` for what a worker notices, `restart N`,
// `overlap N` when the new workers watch and the old ones still do, `restarted N`, and `error CODE` when a
// watch cannot be had. It reads `request` and `respond`: one comes in, one is answered. It ends when its
// standard input is closed.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { load, say } from '../../watchers/scripts/say.js';

const WORKERS = 4;

if (isMainThread) {
  serve(process.argv[2]);
} else {
  work(workerData);
}

// A worker says what it notices; whatever it is told means: end.
async function work(components) {
  const { watch } = await load('chokidar4');
  const watcher = watch(components, { ignoreInitial: true });
  watcher.on('all', (kind, path) => parentPort.postMessage({ line: `change ${kind} ${path}`, change: true }));
  watcher.on('error', (error) => parentPort.postMessage({ line: `error ${error.code}` }));
  watcher.on('ready', () => parentPort.postMessage({ ready: true }));
  parentPort.once('message', () => watcher.close().then(() => parentPort.close()));
}

async function serve(components) {
  let generation = 0;
  let changed = () => {};
  let change = new Promise((resolve) => (changed = resolve));
  let requests = 0;
  let answered = () => {};

  createInterface({ input: process.stdin })
    .on('line', (line) => {
      requests += line === 'request' ? 1 : -1;
      if (requests === 0) answered();
    })
    .on('close', () => process.exit(0));

  const start = (number) => new Promise((resolve) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: components });
    worker.on('message', (message) => {
      if (message.line) say(message.line);
      // What a worker notices that is being replaced, its successor has loaded.
      if (message.change && number === generation) changed();
      if (message.ready) resolve(worker);
    });
  });
  const startAll = () => Promise.all(Array.from({ length: WORKERS }, () => start(generation)));
  const stop = (worker) => {
    worker.postMessage('end');
    return once(worker, 'exit');
  };

  let workers = await startAll();
  say(`READY ${process.pid}`);
  for (;;) {
    await change;
    change = new Promise((resolve) => (changed = resolve));
    generation += 1;
    say(`restart ${generation}`);
    const old = workers;
    workers = await startAll();
    say(`overlap ${generation}`);
    if (requests > 0) await new Promise((resolve) => (answered = resolve));
    await Promise.all(old.map(stop));
    say(`restarted ${generation}`);
  }
}
