// What the programs share: steps that are written down, and orders to whoever runs them.
'use strict';

const readline = require('node:readline');

// How often a step is tried again that may meet a connection that has been cut.
const TRIES = 200;

const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

function shown(what) {
  if (Buffer.isBuffer(what)) what = what.toString('latin1');
  if (typeof what === 'string' && what.length > 60) {
    const [head, tail] = [what.slice(0, 10), what.slice(-10)];
    return `${what.length} characters, ${shown(head)} to ${shown(tail)}`;
  }
  if (what instanceof Error) return `${what.name} ${shown(what.message)}`;
  if (Array.isArray(what)) return `[${what.map(shown).join(', ')}]`;
  if (what && typeof what === 'object') {
    const keys = Object.keys(what).sort();
    if (keys.length > 10) return `${keys.length} entries, ${shown(what[keys[7]])}`;
    return `{${keys.map((key) => `${key}: ${shown(what[key])}`).join(', ')}}`;
  }
  const text = what === undefined ? 'undefined' : JSON.stringify(what);
  return text.replace(/[^\x20-\x7e]/g, (one) => `\\u${one.charCodeAt(0).toString(16)}`);
}

function say(name, what) {
  console.log(`${name}: ${shown(what)}`);
}

// Writes what `act` resolves to; it must not reject.
async function step(name, act) {
  try {
    const result = await act();
    say(name, result);
    return result;
  } catch (error) {
    console.log(`UNEXPECTED ${name}: ${shown(error)}`);
    return undefined;
  }
}

// Writes what `act` rejects with; it must.
async function refused(name, act) {
  let result;
  try {
    result = await act();
  } catch (error) {
    say(`${name}: refused`, error);
    return;
  }
  console.log(`UNEXPECTED ${name}: ${shown(result)}`);
}

// Has something done to the servers.
async function order(what) {
  console.log(`> ${what}`);
  const { value } = await answers.next();
  if (value !== 'done') throw new Error(`nobody has done ${what}`);
}

// Writes what `act` resolves to after all connections are cut, however often it has to ask.
async function afterACut(name, act) {
  await order('cut');
  for (let tries = 0; tries < TRIES; tries += 1) {
    // Some never hear of a request that was lost with its connection.
    const result = await Promise.race([act(), sleep(500)]).catch(() => undefined);
    if (result) {
      say(name, result);
      return;
    }
    await sleep(50);
  }
  console.log(`UNEXPECTED ${name}: no answer after a cut`);
}

function sleep(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

// A method that takes a callback, as a promise.
function promised(client, method) {
  return (...args) => new Promise((resolve, reject) => {
    client[method](...args, (error, result) => (error ? reject(error) : resolve(result)));
  });
}

// Letters and numbers that hardly compress, the same in every run.
function noise(count) {
  let state = 4;
  const bytes = Buffer.alloc(count);
  for (let at = 0; at < count; at += 1) {
    state = (state * 1103515245 + 12345) % 2147483648;
    bytes[at] = 33 + ((state >> 16) % 90);
  }
  return bytes.toString('latin1');
}

// Plays the part that the first argument names with the addresses after it.
function play(parts) {
  const [name, ...wheres] = process.argv.slice(2);
  const late = (error) => {
    console.log(`UNEXPECTED at the end: ${error.stack}`);
    process.exit(1);
  };
  process.on('unhandledRejection', late);
  parts[name](...wheres).then(() => {
    console.log('end');
    process.exit(0);
  }, late);
}

module.exports = { say, step, refused, order, afterACut, sleep, promised, noise, play };
