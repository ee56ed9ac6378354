// memjs: the binary protocol, with a user or without.
'use strict';

const { Client } = require('memjs');
const { say, step, refused, order, afterACut, sleep, noise, play } = require('./steps');

// Somebody, whom a server that asks for nobody need not know.
const user = {
  username: process.env.SASL_USER || 'alice',
  password: process.env.SASL_PASSWORD || 'in wonderland',
};

const quiet = { log() {}, warn() {}, error() {} };

function connect(wheres, options = {}) {
  return Client.create(wheres.join(','), { logger: quiet, retries: 2, timeout: 5, ...options });
}

async function value(client, key) {
  const { value: found, flags } = await client.get(key);
  return found === null ? null : [found.toString(), flags && flags.toString('hex')];
}

async function talk(where, options) {
  const client = connect([where], options);
  await step('set', () => client.set('hello', 'world', {}));
  await step('get', () => value(client, 'hello'));
  await step('get nothing', () => value(client, 'nothing'));
  await step('add there', () => client.add('hello', 'again', {}));
  await step('add', () => client.add('added', 'new', {}));
  await step('replace nothing', () => client.replace('nothing', 'x', {}));
  await step('replace', () => client.replace('added', 'newer', {}));
  await step('append', () => client.append('added', '+'));
  await step('prepend', () => client.prepend('added', '-'));
  await refused('append to nothing', () => client.append('nothing', 'x'));
  await step('joined', () => value(client, 'added'));
  await step('delete', () => client.delete('added'));
  await step('delete nothing', () => client.delete('added'));
  await count(client);
  await items(client);
  await limits(client, where, options);
  const many = Array.from({ length: 100 }, (_, n) => `many${n}`);
  await step('many set', async () => {
    const done = await Promise.all(many.map((key) => client.set(key, `${key}!`, {})));
    return done.filter(Boolean).length;
  });
  await step('many got', async () => {
    const got = await Promise.all(many.map((key) => value(client, key)));
    return [got.length, got[0], got[42], got[99]];
  });
  await afterACut('after a cut', () => value(client, 'hello'));
  await stats(client);
  await step('flush', async () => Object.values((await client.flush()) || {}).length > 0);
  await step('gone', () => value(client, 'hello'));
  await step('set again', () => client.set('hello', 'again', {}));
  await step('again', () => value(client, 'hello'));
  client.quit();
}

async function count(client) {
  const number = async (answer) => [(await answer).success, (await answer).value];
  await step('incr with initial', () => number(client.increment('number', 5, { initial: 10 })));
  await step('incr', () => number(client.increment('number', 5, {})));
  await step('decr', () => number(client.decrement('number', 1, {})));
  await step('decr below zero', () => number(client.decrement('number', 100, {})));
  await client.set('word', 'abc', {});
  await refused('incr of a word', () => number(client.increment('word', 1, {})));
}

async function items(client) {
  await client.set('short', 'lived', { expires: 2 });
  await client.set('long', 'lived', { expires: 2 });
  await step('touch', () => client.touch('long', 100));
  await step('touch nothing', () => client.touch('nothing', 100));
  await step('short before', () => value(client, 'short'));
  await sleep(3100);
  await step('short after', () => value(client, 'short'));
  await step('long after', () => value(client, 'long'));
  await step('empty set', () => client.set('empty', '', {}));
  await step('empty', () => value(client, 'empty'));
  await step('unicode set', () => client.set('schl\u00fcssel\u20ac', '\u00fc\u20ac', {}));
  await step('unicode', () => value(client, 'schl\u00fcssel\u20ac'));
  await step('bytes set', () => client.set('bytes', Buffer.from([0, 13, 10, 255]), {}));
  await step('bytes', async () => (await client.get('bytes')).value.toString('hex'));
}

async function limits(client, where, options) {
  const [longest, longer] = ['k'.repeat(250), 'k'.repeat(251)];
  await step('key of 250', () => client.set(longest, 'long key', {}));
  await step('key of 250 back', () => value(client, longest));
  const big = noise(1024 * 1024 - 400);
  await step('nearly 1 MiB set', () => client.set('big', big, {}));
  await step('nearly 1 MiB', async () => (await client.get('big')).value.toString() === big);
  await refused('over 1 MiB', () => client.set('big', noise(1024 * 1024 + 1), {}));
  await step('the old one has gone', () => value(client, 'big'));
  const other = connect([where], { ...options, retries: 0 });
  await refused('key of 251', () => other.set(longer, 'x', {}));
  other.close();
}

async function stats(client) {
  const wanted = ['pid', 'uptime', 'version', 'curr_items', 'cmd_get', 'limit_maxbytes'];
  const found = (all) => wanted.filter((key) => key in all);
  await step('stats', () => new Promise((resolve, reject) => {
    client.stats((error, _, all) => (error ? reject(error) : resolve(found(all))));
  }));
  await step('settings', () => new Promise((resolve, reject) => {
    client.statsWithKey('settings', (error, _, all) => {
      if (error) reject(error);
      else resolve(all.item_size_max);
    });
  }));
}

async function nodes(...wheres) {
  const client = connect(wheres);
  const keys = Array.from({ length: 200 }, (_, n) => `key${n}`);
  const held = async (from) => {
    const found = await Promise.all(keys.map((key) => value(from, key)));
    return found.filter(Boolean).length;
  };
  await step('set on two', async () => {
    const done = await Promise.all(keys.map((key) => client.set(key, key, {})));
    return done.filter(Boolean).length;
  });
  await step('found on two', () => held(client));
  const shares = await Promise.all(wheres.map((where) => held(connect([where]))));
  say('both have a share', Math.min(...shares) > 0 && shares[0] + shares[1] === 200);
}

async function pair(here, there) {
  const [left, right] = [connect([here]), connect([there])];
  const keys = Array.from({ length: 100 }, (_, n) => `key${n}`);
  await step('set here', () => Promise.all(keys.map((key) => left.set(key, key, {}))));
  await order('settle');
  await step('read there', () => Promise.all(keys.map((key) => value(right, key))));
  await step('delete there', () => right.delete('key8'));
  await step('replace there', () => right.replace('key7', 'replaced', {}));
  await order('settle');
  await step('read here', () => Promise.all(keys.slice(0, 9).map((key) => value(left, key))));
  // memjs sends a flush and does not wait for its end.
  await step('delete all there', () => Promise.all(keys.map((key) => right.delete(key))));
  await order('settle');
  await step('gone here', () => Promise.all(keys.slice(0, 9).map((key) => value(left, key))));
}

play({
  binary: (where) => talk(where, {}),
  user: (where) => talk(where, user),
  nodes,
  pair,
});
