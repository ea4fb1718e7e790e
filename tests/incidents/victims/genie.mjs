// Incident 3: a command line tool whose every command starts its server when none runs.
//
//     genie.mjs status|serve|stop|ask --claim faulty|correct [options]
//
// Its state is in $GENIE_HOME, else ~/.genie: serve.pid (the claim), pgserve.port, sessions/*.jsonl and,
// with the correct claim, serve.stopping.lock. The server ends with its standard input.

import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as http from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/** How long a stop sentinel holds, and how long a claim may stay empty: ms. */
const TTL = 30_000;
/** Between two looks at something another process is about to do: ms. */
const LOOK = 20;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    claim: { type: 'string', default: 'correct' },
    // Wait for a line of input: faulty, between "is it alive?" and the write; correct, while the claim is empty.
    hold: { type: 'boolean', default: false },
    // How the faulty server writes its PID: plain, with a newline, as JSON.
    format: { type: 'string', default: 'plain' },
    // Keep the PID file open.
    keep: { type: 'boolean', default: false },
    // Open so many session files and forget them.
    sessions: { type: 'string', default: '0' },
  },
});
const faulty = options.claim === 'faulty';
const home = process.env.GENIE_HOME ?? join(homedir(), '.genie');
const [pidFile, portFile, sentinel] = ['serve.pid', 'pgserve.port', 'serve.stopping.lock'].map((name) => join(home, name));

// Whole lines at once: two processes may speak into one pipe.
const say = (...words) => fs.writeSync(1, `${words.join(' ')}\n`);

/** What a file says, or null if there is none. */
const read = (path) => unless('ENOENT', () => fs.readFileSync(path, 'utf8'));
const remove = (path) => unless('ENOENT', () => fs.unlinkSync(path));
/** A new file, or null if there is one. */
const create = (path) => unless('EEXIST', () => fs.openSync(path, 'wx'));

function unless(code, act) {
  try {
    return act();
  } catch (error) {
    if (error.code !== code) throw error;
    return null;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** When a process began, in clock ticks since boot (field 22 of proc_pid_stat(5)), or null. */
function start(pid) {
  const stat = read(`/proc/${pid}/stat`);
  return stat && stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function isFresh(path) {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs <= TTL;
}

function waitForInput() {
  say('held', process.pid);
  fs.readSync(0, Buffer.alloc(16));
}

/** The PID in the claim if its server runs, else null. */
function running(text = read(pidFile)) {
  if (!text) return null;
  if (text.startsWith('{')) text = String(JSON.parse(text).pid);
  const [pid, began] = text.trim().split(':');
  if (!/^[1-9]\d*$/.test(pid) || !isAlive(Number(pid))) return null;
  // Another start is another process; one that is not known counts as the same.
  const now = start(pid);
  return began && now && began !== now ? null : Number(pid);
}

// --- the claims ------------------------------------------------------------------------------

/** As in the incident: read, alive?, unlink, write. Two that look at the same time both go on. */
function claimFaulty() {
  const other = running();
  if (other) return other;
  if (options.hold) waitForInput();
  remove(pidFile);
  const texts = { plain: `${process.pid}`, newline: `${process.pid}\n`, json: JSON.stringify({ pid: process.pid }) };
  write(fs.openSync(pidFile, 'w'), texts[options.format]);
  return null;
}

/** By O_EXCL one of two wins, and PID:START says who it is. Gives the PID of the other, if that won. */
async function claimCorrect() {
  for (let waits = false; ; await pause(LOOK)) {
    const claim = create(pidFile);
    if (claim !== null) {
      if (options.hold) waitForInput();
      write(claim, `${process.pid}:${start(process.pid)}`);
      return null;
    }
    const text = read(pidFile);
    const other = running(text);
    if (other) return other;
    if (text === '' && isFresh(pidFile)) {
      if (!waits) say('waits', process.pid);
      waits = true;
    } else if (text !== null) {
      removeStale(text);
    }
  }
}

/** Removes a claim that still says `text`. One at a time, or a second one would remove the first one's new claim. */
function removeStale(text) {
  const guard = `${pidFile}.removal`;
  const mine = create(guard);
  if (mine === null) {
    if (!isFresh(guard)) remove(guard);
    return;
  }
  fs.closeSync(mine);
  if (read(pidFile) === text) remove(pidFile);
  remove(guard);
}

function write(file, text) {
  fs.writeSync(file, text);
  if (!options.keep) fs.closeSync(file);
}

// --- the commands ----------------------------------------------------------------------------

async function serve() {
  fs.mkdirSync(join(home, 'sessions'), { recursive: true });
  if (!faulty && isFresh(sentinel)) return say('stopping');
  remove(sentinel);
  const other = faulty ? claimFaulty() : await claimCorrect();
  if (other) return say('already', other);

  for (let n = 0; n < Number(options.sessions); n++) fs.openSync(join(home, 'sessions', `${n}.jsonl`), 'a');
  const server = http.createServer((_, answer) => answer.end(`${process.pid}`));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  fs.writeFileSync(`${portFile}.new`, `127.0.0.1:${port}\n`);
  fs.renameSync(`${portFile}.new`, portFile);

  const end = () => {
    if (running() === process.pid) [portFile, pidFile].forEach(remove);
    process.exit(0);
  };
  process.on('SIGTERM', end);
  process.stdin.on('end', end).resume();
  say('serving', process.pid, port);
}

/** What every command does first. */
async function status() {
  const pid = running();
  if (pid) return say('runs', pid);
  const args = process.argv.slice(2).map((word) => (word === 'status' ? 'serve' : word));
  spawn(process.execPath, [process.argv[1], ...args], { detached: true, stdio: 'inherit' }).unref();
}

async function stop() {
  const pid = running();
  if (!pid) return say('nothing');
  if (!faulty) fs.writeFileSync(sentinel, `${process.pid}:${start(process.pid)}`);
  process.kill(pid, 'SIGTERM');
  while (isAlive(pid)) await pause(LOOK);
  if (faulty) remove(pidFile);
  // The sentinel stays until it is too old: for so long no command starts the server again.
  say('stopped', pid);
}

/** A client: asks whoever the port file names until it is answered or its input ends. */
async function ask() {
  process.stdin.on('end', () => process.exit(0)).resume();
  for (let refusals = 0; ; refusals++, await pause(LOOK)) {
    const address = read(portFile)?.trim();
    try {
      const answer = await fetch(`http://${address}/`);
      say('answered', await answer.text(), refusals);
      process.exit(0);
    } catch (error) {
      say(error.cause?.code ?? error.message, address);
    }
  }
}

await { serve, status, stop, ask }[positionals[0]]();
