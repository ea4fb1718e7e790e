// What the scripts for node share: lines that are out when the call returns, and modules of target/tools.
const fs = require('node:fs');
const { pathToFileURL } = require('node:url');

const nobody = new Int32Array(new SharedArrayBuffer(4));

// A pipe node has made non-blocking may be full: whoever reads it takes a moment.
exports.say = (line) => {
  let left = Buffer.from(line + '\n');
  while (left.length > 0) {
    try {
      left = left.subarray(fs.writeSync(1, left));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(nobody, 0, 0, 1);
    }
  }
};

// import(), because some of them are no longer CommonJS; it does not know NODE_PATH.
exports.load = (name) => import(pathToFileURL(require.resolve(name)));
