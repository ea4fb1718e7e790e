// Deno.watchFs on the directory given. One line per path of an event: KIND<TAB>PATH.
const text = new TextEncoder();
const say = (line) => Deno.stdout.writeSync(text.encode(line + '\n'));

const watcher = Deno.watchFs(Deno.args[0]);
Deno.addSignalListener('SIGTERM', () => {
  watcher.close();
  say('STOPPED');
  Deno.exit(0);
});
say('READY');
for await (const { kind, paths } of watcher) {
  for (const path of paths) say(`${kind}\t${path}`);
}
