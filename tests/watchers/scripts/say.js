// What the scripts for node share: lines that are out when the call returns, and modules of target/tools.
const fs = require('node:fs');
const { pathToFileURL } = require('node:url');

exports.say = (line) => fs.writeSync(1, line + '\n');

// import(), because some of them are no longer CommonJS; it does not know NODE_PATH.
exports.load = (name) => import(pathToFileURL(require.resolve(name)));
