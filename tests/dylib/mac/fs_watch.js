// Names that fs.watch reports, sorted, until "end" is written: a.txt gets another mode and an extended attribute,
// state.sqlite-wal and b.txt are written. Run by scripts/smoke-macos.
const fs = require("fs");
const path = require("path");
const { execFileSync } = require("child_process");

const dir = process.argv[2];
const heard = new Set();
const at = (name) => path.join(dir, name);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

const watcher = fs.watch(dir, { recursive: true }, (_, name) => {
  heard.add(name);
  if (name === "end") {
    heard.delete("end");
    console.log([...heard].sort().join(" ") || "-");
    watcher.close();
    process.exit(0);
  }
});
setTimeout(() => {
  console.log("nothing after 30 s");
  process.exit(1);
}, 30000);

(async () => {
  // fseventsd may still report what happened before.
  await wait(2000);
  heard.clear();
  fs.chmodSync(at("a.txt"), 0o600);
  execFileSync("xattr", ["-w", "com.example.smoke", "1", at("a.txt")]);
  fs.writeFileSync(at("state.sqlite-wal"), "x");
  fs.writeFileSync(at("b.txt"), "x");
  await wait(2000);
  fs.writeFileSync(at("end"), "x");
})();
