// memcached: the text protocol.
'use strict';

const Memcached = require('memcached');
const { say, step, refused, order, afterACut, sleep, promised, noise, play } = require('./steps');

const METHODS = [
  'get', 'gets', 'getMulti', 'set', 'add', 'replace', 'append', 'prepend', 'cas', 'del', 'incr',
  'decr', 'touch', 'version', 'stats', 'settings', 'items', 'slabs', 'flush',
];

function connect(wheres, options = {}) {
  const client = new Memcached(wheres, { timeout: 10000, retries: 2, retry: 50, ...options });
  return Object.fromEntries(METHODS.map((method) => [method, promised(client, method)]));
}

async function text(where) {
  const client = connect([where]);
  await step('version', async () => (await client.version())[0].version.startsWith('1.6.'));
  await store(client);
  await count(client);
  await items(client);
  await limits(client);
  await many(client);
  const patient = connect([where], { failures: 100, reconnect: 10 });
  await afterACut('after a cut', () => patient.get('hello'));
  await stats(connect([where]));
  const last = connect([where]);
  await step('flush', () => last.flush());
  await step('gone', () => last.get('hello'));
  await step('set again', () => last.set('hello', 'again', 0));
  await step('again', () => last.get('hello'));
}

async function store(client) {
  await step('set', () => client.set('hello', 'world', 0));
  await step('get', () => client.get('hello'));
  await step('get nothing', () => client.get('nothing'));
  await refused('add there', () => client.add('hello', 'again', 0));
  await step('add', () => client.add('added', 'new', 0));
  await refused('replace nothing', () => client.replace('nothing', 'x', 0));
  await step('replace', () => client.replace('added', 'newer', 0));
  await step('append', () => client.append('added', '+'));
  await step('prepend', () => client.prepend('added', '-'));
  await refused('append to nothing', () => client.append('nothing', 'x'));
  await step('joined', () => client.get('added'));
  const { hello, cas } = await client.gets('hello');
  say('gets', hello);
  await step('cas', () => client.cas('hello', 'swapped', cas, 0));
  await step('cas stale', () => client.cas('hello', 'never', cas, 0));
  await step('cas nothing', () => client.cas('nothing', 'x', cas, 0));
  await step('delete', () => client.del('added'));
  await step('delete nothing', () => client.del('added'));
}

async function count(client) {
  await client.set('number', 10, 0);
  await step('incr', () => client.incr('number', 5));
  await step('decr', () => client.decr('number', 1));
  await step('decr below zero', () => client.decr('number', 100));
  await step('incr nothing', () => client.incr('nothing', 1));
  await client.set('word', 'abc', 0);
  await refused('incr of a word', () => client.incr('word', 1));
}

async function items(client) {
  await client.set('short', 'lived', 2);
  await client.set('long', 'lived', 2);
  await step('touch', () => client.touch('long', 100));
  await step('touch nothing', () => client.touch('nothing', 100));
  await step('short before', () => client.get('short'));
  await sleep(3100);
  await step('short after', () => client.get('short'));
  await step('long after', () => client.get('long'));
  await step('empty set', () => client.set('empty', '', 0));
  await step('empty', () => client.get('empty'));
  const object = { list: [1, null], text: '\u00fc\u20ac' };
  await step('object set', () => client.set('object', object, 0));
  await step('object', () => client.get('object'));
  await step('number', () => client.get('number'));
  await step('bytes set', () => client.set('bytes', Buffer.from([0, 13, 10, 255]), 0));
  await step('bytes', async () => (await client.get('bytes')).toString('hex'));
}

async function limits(client) {
  await step('key of 250', () => client.set('k'.repeat(250), 'long key', 0));
  await step('key of 250 back', () => client.get('k'.repeat(250)));
  // A longer one is hashed by the client.
  await step('key of 251', () => client.set('k'.repeat(251), 'longer', 0));
  await step('key of 251 back', () => client.get('k'.repeat(251)));
  await step('unicode set', () => client.set('schl\u00fcssel\u20ac', '\u00fc\u20ac', 0));
  await step('unicode', () => client.get('schl\u00fcssel\u20ac'));
  const big = noise(1024 * 1024 - 400);
  await step('nearly 1 MiB set', () => client.set('big', big, 0));
  await step('nearly 1 MiB', async () => (await client.get('big')) === big);
  await refused('over 1 MiB', () => client.set('big', noise(1024 * 1024 + 1), 0));
  await step('the old one stays', async () => (await client.get('big')) === big);
}

async function many(client) {
  const keys = Array.from({ length: 100 }, (_, n) => `many${n}`);
  await step('many set', async () => {
    const done = await Promise.all(keys.map((key) => client.set(key, `${key}!`, 0)));
    return done.filter(Boolean).length;
  });
  await step('many got', () => client.getMulti([...keys, 'nothing']));
}

async function stats(client) {
  const wanted = ['pid', 'uptime', 'version', 'curr_items', 'cmd_get', 'limit_maxbytes'];
  await step('stats', async () => {
    const [found] = await client.stats();
    return wanted.filter((key) => key in found);
  });
  await step('settings', async () => (await client.settings())[0].item_size_max);
}

async function nodes(...wheres) {
  const client = connect(wheres);
  const keys = Array.from({ length: 200 }, (_, n) => `key${n}`);
  await step('set on two', async () => {
    const done = await Promise.all(keys.map((key) => client.set(key, key, 0)));
    return done.filter(Boolean).length;
  });
  const held = async (from) => Object.keys(await from.getMulti(keys)).length;
  await step('found on two', () => held(client));
  const shares = await Promise.all(wheres.map((where) => held(connect([where]))));
  say('both have a share', Math.min(...shares) > 0 && shares[0] + shares[1] === 200);
}

async function pair(here, there) {
  const [left, right] = [connect([here]), connect([there])];
  const keys = Array.from({ length: 100 }, (_, n) => `key${n}`);
  await step('set here', () => Promise.all(keys.map((key) => left.set(key, { key }, 0))));
  await order('settle');
  await step('read there', () => right.getMulti(keys));
  const { cas } = await left.gets('key7');
  await step('cas there', () => right.cas('key7', 'swapped', cas, 0));
  await step('delete there', () => right.del('key8'));
  await order('settle');
  await step('read here', () => left.getMulti(keys.slice(5, 10)));
  await step('stale here', () => left.cas('key7', 'never', cas, 0));
  await step('flush there', () => right.flush());
  await step('last there', () => right.set('last', 'word', 0));
  await order('settle');
  await step('gone here', () => left.getMulti([...keys, 'last']));
}

play({ text, nodes, pair });
