<?php
// PHP's memcached extension: both protocols. Writes a line for each result; see tests/clients.rs.

declare(strict_types=1);

error_reporting(E_ALL);
ini_set('memcached.compression_threshold', '2000');

const TRIES = 200;

function shown(mixed $what): string
{
    if (is_string($what) && strlen($what) > 60) {
        return strlen($what) . ' bytes, checksum ' . crc32($what);
    }
    if (is_array($what) && count($what) > 10) {
        return count($what) . ' entries, checksum ' . crc32(serialize($what));
    }
    if (is_object($what)) {
        return get_class($what) . ' ' . json_encode($what);
    }
    return (string) json_encode($what, JSON_PARTIAL_OUTPUT_ON_ERROR);
}

/// A result, with what the server said about it.
function say(string $name, mixed $what, Memcached $mc): void
{
    printf("%s: %s (%s)\n", $name, shown($what), $mc->getResultMessage());
}

/// The result of a step that must come out well.
function well(string $name, mixed $what, Memcached $mc): mixed
{
    if ($mc->getResultCode() !== Memcached::RES_SUCCESS) {
        echo 'UNEXPECTED ';
    }
    say($name, $what, $mc);
    return $what;
}

/// The result of a step that must not.
function badly(string $name, mixed $what, Memcached $mc): void
{
    if ($mc->getResultCode() === Memcached::RES_SUCCESS) {
        echo 'UNEXPECTED ';
    }
    say($name, $what, $mc);
}

function order(string $what): void
{
    echo "> $what\n";
    if (fgets(STDIN) !== "done\n") {
        exit(1);
    }
}

function connect(bool $binary, string ...$wheres): Memcached
{
    $mc = new Memcached();
    $mc->setOption(Memcached::OPT_BINARY_PROTOCOL, $binary);
    $user = getenv('SASL_USER');
    if ($user !== false) {
        $mc->setSaslAuthData($user, getenv('SASL_PASSWORD'));
    }
    foreach ($wheres as $where) {
        [$host, $port] = explode(':', $where);
        $mc->addServer($host, (int) $port);
    }
    return $mc;
}

function cas_of(Memcached $mc, string $key): float|int|string
{
    return $mc->get($key, null, Memcached::GET_EXTENDED)['cas'];
}

function noise(int $count): string
{
    mt_srand(4);
    $bytes = '';
    while (strlen($bytes) < $count) {
        $bytes .= pack('N', mt_rand());
    }
    return substr($bytes, 0, $count);
}

function store(Memcached $mc): void
{
    well('set', $mc->set('hello', 'world'), $mc);
    well('get', $mc->get('hello'), $mc);
    badly('get nothing', $mc->get('nothing'), $mc);
    badly('add there', $mc->add('hello', 'again'), $mc);
    badly('replace nothing', $mc->replace('nothing', 'x'), $mc);
    $mc->setOption(Memcached::OPT_COMPRESSION, false);
    well('add', $mc->add('added', 'new'), $mc);
    well('replace', $mc->replace('added', 'newer'), $mc);
    well('append', $mc->append('added', '+'), $mc);
    well('prepend', $mc->prepend('added', '-'), $mc);
    badly('append to nothing', $mc->append('nothing', 'x'), $mc);
    well('joined', $mc->get('added'), $mc);
    $mc->setOption(Memcached::OPT_COMPRESSION, true);
    $cas = cas_of($mc, 'hello');
    well('cas', $mc->cas($cas, 'hello', 'swapped'), $mc);
    badly('cas stale', $mc->cas($cas, 'hello', 'never'), $mc);
    badly('cas nothing', $mc->cas($cas, 'nothing', 'x'), $mc);
    well('delete', $mc->delete('added'), $mc);
    badly('delete nothing', $mc->delete('added'), $mc);
}

function numbers(Memcached $mc, bool $binary): void
{
    well('number', $mc->set('number', 10), $mc);
    well('incr', $mc->increment('number', 5), $mc);
    well('decr', $mc->decrement('number', 1), $mc);
    well('decr below zero', $mc->decrement('number', 100), $mc);
    badly('incr nothing', $mc->increment('nothing', 1), $mc);
    if ($binary) {
        well('incr with initial', $mc->increment('new', 5, 77, 100), $mc);
        well('and again', $mc->increment('new', 5, 77, 100), $mc);
        well('decr with initial', $mc->decrement('other', 5, 7, 100), $mc);
    }
}

function items(Memcached $mc): void
{
    well('short', $mc->set('short', 'lived', 2), $mc);
    well('long', $mc->set('long', 'lived', 2), $mc);
    well('touch', $mc->touch('long', 100), $mc);
    badly('touch nothing', $mc->touch('nothing', 100), $mc);
    well('short before', $mc->get('short'), $mc);
    usleep(3_100_000);
    badly('short after', $mc->get('short'), $mc);
    well('long after', $mc->get('long'), $mc);
    well('empty set', $mc->set('empty', ''), $mc);
    well('empty', $mc->get('empty'), $mc);
    $values = [42, -1.5, true, null, "\0\r\n\xff", ['a' => [1, null]], new ArrayObject([1, 2])];
    foreach ($values as $value) {
        $type = get_debug_type($value);
        well("$type set", $mc->set('type', $value), $mc);
        well("$type back", $mc->get('type') == $value, $mc);
    }
    well('compressed set', $mc->set('squeezed', str_repeat('a', 100_000)), $mc);
    well('compressed', $mc->get('squeezed'), $mc);
}

function limits(bool $binary, string $where): void
{
    $mc = connect($binary, $where);
    well('key of 250', $mc->set(str_repeat('k', 250), 'long key'), $mc);
    well('key of 250 back', $mc->get(str_repeat('k', 250)), $mc);
    badly('key of 251', $mc->set(str_repeat('k', 251), 'x'), $mc);
    // The extension itself takes such a key in the binary protocol only.
    say('unicode set', $mc->set("schl\u{fc}ssel\u{20ac}", "\u{20ac}"), $mc);
    say('unicode', $mc->get("schl\u{fc}ssel\u{20ac}"), $mc);
    $big = noise(1024 * 1024 - 400);
    well('nearly 1 MiB set', $mc->set('big', $big), $mc);
    well('nearly 1 MiB', $mc->get('big') === $big, $mc);
    badly('over 1 MiB', $mc->set('big', noise(1024 * 1024 + 1)), $mc);
    $mc = connect($binary, $where);
    badly('the old one has gone', $mc->get('big'), $mc);
    well('word', $mc->set('word', 'abc'), $mc);
    badly('incr of a word', $mc->increment('word', 1), $mc);
}

function many(bool $binary, string $where): void
{
    $mc = connect($binary, $where);
    $pairs = [];
    for ($n = 0; $n < 100; $n++) {
        $pairs["many$n"] = "value $n";
    }
    well('many set', $mc->setMulti($pairs), $mc);
    well('many got', $mc->getMulti(array_keys($pairs), Memcached::GET_PRESERVE_ORDER), $mc);
    well('delayed', $mc->getDelayed(array_keys($pairs), true), $mc);
    $all = $mc->fetchAll();
    say('delayed', array_sum(array_map(fn ($one) => strlen($one['value']), $all)), $mc);
    say('many deleted', array_sum($mc->deleteMulti(['many1', 'many2', 'many3'])), $mc);
    $mc->setOption(Memcached::OPT_PREFIX_KEY, 'prefix-');
    well('prefixed set', $mc->set('a', 'b'), $mc);
    well('prefixed', $mc->get('a'), $mc);
    $mc->setOption(Memcached::OPT_PREFIX_KEY, '');
    well('without prefix', $mc->get('prefix-a'), $mc);
    foreach (['OPT_BUFFER_WRITES', 'OPT_NO_BLOCK', 'OPT_NOREPLY'] as $option) {
        $eager = connect($binary, $where);
        $eager->setOption(constant("Memcached::$option"), true);
        for ($n = 0; $n < 100; $n++) {
            $eager->set("$option$n", $n);
        }
        $eager->flushBuffers();
        $keys = array_map(fn ($n) => "$option$n", range(0, 99));
        well($option, $eager->getMulti($keys, Memcached::GET_PRESERVE_ORDER), $eager);
    }
}

function one(bool $binary, string $where): void
{
    $mc = connect($binary, $where);
    store($mc);
    numbers($mc, $binary);
    items($mc);
    limits($binary, $where);
    many($binary, $where);
    order('cut');
    $found = false;
    for ($tries = 0; $tries < TRIES && $found === false; $tries++) {
        usleep(50_000);
        $mc = connect($binary, $where);
        $found = $mc->get('hello');
    }
    well('after a cut', $found, $mc);
    $stats = array_values($mc->getStats())[0];
    well('stats', isset($stats['pid'], $stats['curr_items'], $stats['limit_maxbytes']), $mc);
    $settings = array_values($mc->getStats('settings'))[0];
    well('settings', $settings['item_size_max'], $mc);
    $version = array_values($mc->getVersion())[0];
    well('version', str_starts_with($version, '1.6.'), $mc);
    well('flush later', $mc->flush(100), $mc);
    well('still there', $mc->get('hello'), $mc);
    well('flush', $mc->flush(), $mc);
    badly('gone', $mc->get('hello'), $mc);
    well('set again', $mc->set('hello', 'again'), $mc);
    $mc->quit();
    well('after a quit', $mc->get('hello'), $mc);
}

function nodes(string ...$wheres): void
{
    foreach ([Memcached::DISTRIBUTION_MODULA, Memcached::DISTRIBUTION_CONSISTENT] as $way) {
        $mc = connect(true, ...$wheres);
        $mc->setOption(Memcached::OPT_DISTRIBUTION, $way);
        $mc->setOption(Memcached::OPT_LIBKETAMA_COMPATIBLE, true);
        $pairs = [];
        for ($n = 0; $n < 200; $n++) {
            $pairs["way$way-$n"] = $n;
        }
        well('set on two', $mc->setMulti($pairs), $mc);
        well('found on two', count($mc->getMulti(array_keys($pairs))), $mc);
        $share = fn ($where) => count(connect(true, $where)->getMulti(array_keys($pairs)));
        $shares = array_map($share, $wheres);
        say('both have a share', min($shares) > 0 && array_sum($shares) === 200, $mc);
    }
}

function pair(string $here, string $there): void
{
    foreach ([false, true] as $binary) {
        [$left, $right] = [connect($binary, $here), connect($binary, $there)];
        $pairs = [];
        for ($n = 0; $n < 100; $n++) {
            $pairs["key$n"] = ['value' => $n];
        }
        $keys = array_keys($pairs);
        well('set here', $left->setMulti($pairs), $left);
        order('settle');
        well('read there', $right->getMulti($keys, Memcached::GET_PRESERVE_ORDER), $right);
        $cas = cas_of($left, 'key7');
        well('cas there', $right->cas($cas, 'key7', 'swapped'), $right);
        well('delete there', $right->delete('key8'), $right);
        order('settle');
        well('read here', $left->get('key7'), $left);
        badly('deleted here', $left->get('key8'), $left);
        badly('stale here', $left->cas($cas, 'key7', 'never'), $left);
        well('flush there', $right->flush(), $right);
        well('last there', $right->set('last', 'word'), $right);
        order('settle');
        say('gone here', $left->getMulti([...$keys, 'last']), $left);
    }
}

[, $part, $where] = $argv;
match ($part) {
    'text' => one(false, $where),
    'binary' => one(true, $where),
    'user' => one(true, $where),
    'nodes' => nodes($where, $argv[3]),
    'pair' => pair($where, $argv[3]),
};
echo "end\n";
