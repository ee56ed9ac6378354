mod documented;
mod values;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::tests::rows;
use crate::config::{Config, Protocol, StartupError};

fn read(line: &str) -> Result<Config, StartupError> {
    let args = format!("memtwin {line}");
    read_args(args.split_whitespace())
}

fn read_args<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<Config, StartupError> {
    load(run(args)?)
}

fn run<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<Cli, StartupError> {
    match parse(args.into_iter().map(OsString::from))? {
        Parsed::Run(cli) => Ok(cli),
        Parsed::Print(text) => panic!("only printed: {text}"),
    }
}

fn exit(line: &str) -> (u8, String) {
    let problem = read(line).expect_err(line);
    (problem.exit, problem.text)
}

/// The exit code and text of what is only printed.
fn printed(line: &str) -> (u8, String) {
    let args = ["memtwin", line].map(OsString::from);
    match parse(args).unwrap() {
        Parsed::Run(_) => panic!("{line} runs"),
        Parsed::Print(text) => (0, text),
    }
}

#[test]
fn no_flags_is_memcacheds_defaults() {
    let config = read("").unwrap();
    assert_eq!(config.client.addresses.len(), 1);
    let mut addresses = config.client.addresses[0].iter();
    assert!(addresses.all(|address| address.port() == 11211));
    assert_eq!(config.client.threads, 4);
    assert_eq!(config.client.connections_max, 1024);
    assert_eq!(config.memory.limit_bytes, 64 << 20);
    assert_eq!(config.memory.max_item_bytes, 1 << 20);
    assert!(config.memory.evictions && !config.is_pair());
}

#[test]
fn flags_have_memcacheds_forms() {
    let config =
        read("-p5001 -m 100m -M -I 2m -c10 --threads=2 -b -1 -R7 -vv -u root -U 0").unwrap();
    assert_eq!(config.client.addresses[0][0].port(), 5001);
    assert_eq!(config.memory.limit_bytes, 100 << 20);
    assert_eq!(config.memory.max_item_bytes, 2 << 20);
    assert!(!config.memory.evictions);
    assert_eq!(config.client.connections_max, 10);
    assert_eq!(config.client.threads, 2);
    assert_eq!(config.client.backlog, -1);
    assert_eq!(config.client.requests_per_event, 7);
    assert_eq!(config.node.verbosity, 2);
    assert_eq!(config.node.user.as_deref(), Some("root"));
    for (line, protocol) in [
        ("-B ascii", Protocol::Ascii),
        ("-Bbinary", Protocol::Binary),
        ("--protocol=auto", Protocol::Auto),
    ] {
        assert_eq!(read(line).unwrap().client.protocol, protocol, "{line}");
    }
    let config = read("-s /tmp/x -a 0755 --memory-l=65").unwrap();
    assert_eq!(config.client.socket.as_deref(), Some(Path::new("/tmp/x")));
    assert!(config.client.socket_mode == 0o755 && config.client.addresses.is_empty());
    assert_eq!(config.memory.limit_bytes, 65 << 20);
}

/// More are compared with memcached itself, by protocol-tests (`start_refused`).
#[test]
fn memcacheds_flags_exit_with_memcacheds_codes() {
    let refused = r#"
        1 => -t x | -p | -m | --mem 3
        64 => -U 11211 | -U -1 | -p 0 | -Y file -B auto | -S -Y file | -N 5
        64 => -S -l proto[ascii]:127.0.0.1:9
        71 => -l proto[http]:::1 | -l no.such.host.invalid | -l , | -l ;,; -p 7
        71 => --listen= | -Y file -l proto[binary]:127.0.0.1:9
    "#;
    for [code, lines] in rows(refused) {
        for line in lines.split(" | ") {
            assert_eq!(exit(line).0.to_string(), code, "{line}");
        }
    }
    assert!(exit("-U 11211").1.contains("amplifier"));
}

#[test]
fn options_of_o_exit_with_memcacheds_codes() {
    let options = "\
        , watcher_logbuf_size=1048577 worker_logbuf_size=4194304 slab_chunk_max=0 \
        slab_chunk_max=1025 ssl_verify_mode=4 ssl_min_version=4 ssl_key ext_path=/tmp/x:1G \
        proxy_config=x";
    for option in options.split_whitespace() {
        assert_eq!(exit(&format!("-o {option}")).0, 1, "{option}");
    }
    assert_eq!(exit("-o slab_chunk_max=1024 -I 600k").0, 64);
    let (_, words) = exit("-o nonsense");
    assert!(words.contains("Illegal suboption \"nonsense\"") && words.contains("track_sizes"));
}

#[test]
fn every_option_of_o_is_taken_and_finds_its_setting() {
    let all = extended::OPTIONS.iter().map(|option| match option.name {
        "hash_algorithm" => "hash_algorithm=xxh3".to_owned(),
        name if name.ends_with("factor") || name.ends_with("ratio") => format!("{name}=0.5"),
        "ssl_verify_mode" | "ssl_min_version" => format!("{}=3", option.name),
        "slab_sizes" => "slab_sizes=96-200".to_owned(),
        "slab_chunk_max" => "slab_chunk_max=64".to_owned(),
        name if option.value != extended::OptionValue::Yes => name.to_owned(),
        name => format!("{name}=12"),
    });
    for text in all.filter(|text| !text.starts_with("no_lru_maintainer")) {
        read(&format!("-o {text}")).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    }
    let config =
        read("-o idle_timeout=3,track_sizes -o watcher_logbuf_size=8,ssl_wbuf_size=64").unwrap();
    assert_eq!(config.client.idle_timeout, Some(Duration::from_secs(3)));
    assert!(config.client.track_sizes);
    assert_eq!(config.client.watcher_logbuf_size, 8 << 10);
    assert_eq!(config.tls.wbuf_bytes, 64 << 10);
    for (line, mode) in [
        ("slab_automove", 1),
        ("slab_automove=", 0),
        ("slab_automove=2", 2),
    ] {
        let config = read(&format!("-o {line}")).unwrap();
        assert_eq!(config.tuning.slabs.automove, mode, "{line}");
    }
    assert_eq!(read("-o idle_timeout=0").unwrap().client.idle_timeout, None);
    let old = read("-o slab_chunk_max=4,no_modern").unwrap().tuning;
    assert!(!old.lru.crawler && !old.lru.maintainer && !old.lru.segmented && !old.slabs.reassign);
    assert_eq!(old.slabs.automove, 0);
    assert_eq!(old.slabs.chunk_max_bytes, 4 << 10);
    assert_eq!(read("-o sock_cookie_id=5").unwrap().tuning.socket_mark, 5);
    let parsed = read("-o hash_algorithm=jenkins,modern -e /dev/shm/x -N 2").unwrap();
    let without_effect = parsed.tuning.without_effect.iter();
    let names: Vec<_> = without_effect.map(|(name, _)| *name).collect();
    assert_eq!(names, ["-N", "hash_algorithm", "-e"]);
}

#[test]
fn flags_without_a_number_turn_things_on_and_off() {
    let plain = read("").unwrap();
    let client = plain.client;
    assert!(client.cas && client.flush_all && client.dumps && client.watch);
    assert!(!client.shutdown_command && !client.detail && !client.sasl && !plain.tls.enabled);
    let config = read("-A -C -F -X -W -Z -d -k -r -P /run/x -D/ -f 1.5 -n 96").unwrap();
    let (client, node, tuning) = (config.client, config.node, config.tuning);
    assert!(!client.cas && !client.flush_all && !client.dumps && !client.watch);
    assert!(client.shutdown_command && client.detail && config.tls.enabled);
    assert_eq!(client.prefix_delimiter, b'/');
    assert!(node.daemon && node.lock_memory && node.core_dumps);
    assert_eq!(node.pid_file.as_deref(), Some(Path::new("/run/x")));
    assert_eq!(tuning.slabs.growth_factor, 1.5);
    assert_eq!(tuning.slabs.min_size_bytes, 96);
    assert_eq!(read("-S").unwrap().client.protocol, Protocol::Binary);
    assert_eq!(read("-Y file").unwrap().client.protocol, Protocol::Ascii);
}

#[test]
fn the_systemd_unit_runs_what_there_is() {
    let unit = include_str!("../../../config/memtwin.service");
    let mut lines = unit.lines();
    let line = lines.find_map(|line| line.strip_prefix("ExecStart="));
    let parsed = run(line.unwrap().split(' ')).unwrap();
    assert!(parsed.verb.is_none() && parsed.own.config.is_some());
}

#[test]
fn help_and_version_begin_as_clients_expect() {
    for (line, second) in [
        ("-h", "memtwin"),
        ("--help", "memtwin"),
        ("-V", "memtwin 0.1.0"),
    ] {
        let (code, text) = printed(line);
        let first = format!("memcached {}", crate::limits::VERSION_ANSWERED);
        let mut lines = text.lines();
        assert_eq!((code, lines.next()), (0, Some(first.as_str())), "{line}");
        assert!(lines.next().unwrap().starts_with(second), "{line}: {text}");
    }
}

#[test]
fn memtwins_own_flags_exit_64_and_name_the_hint() {
    let refused = r#"
        --side 2 => write 0 on one node
        --replication-mode sync => write "semi-sync" or "async"
        --ack-timeout 1s => write "2ms" to "90ms"
        --start-alone-after soon => --start-alone-after:
        --failover 127.0.0.1:1 => memtwin keygen
        --failover 127.0.0.1 --key-file k --side 0 => the partner's host:port
        --failover 127.0.0.1:1 --key-file k => --side
        --failover 127.0.0.1:1 --key-file k --side 1 => --replication-listen
        --key-file k => --failover
        --msm-nodes n1,n2 --node-id n3 => msm.nodes
        --config => --config
        keygen => FILE
        pair --nonsense => --nonsense
        nonsense => nonsense
    "#;
    for [line, hint] in rows(refused) {
        let (code, text) = exit(line);
        assert_eq!(code, 64, "{line}: {text}");
        assert!(text.contains(hint), "{line}: {text}");
    }
}

#[test]
fn a_flag_overrides_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("node.toml");
    let text = "[client]\nlisten = [\"127.0.0.1:5\", \"[::1]:6\"]\nthreads = 2\n\
                [replication]\nstart_alone_after = \"never\"\n";
    std::fs::write(&file, text).unwrap();
    let file = file.display();
    let config = read(&format!("--config {file} -p 9 --start-alone-after 3s")).unwrap();
    assert_eq!(config.client.threads, 2);
    let addresses = config.client.addresses.concat();
    assert!(addresses.iter().all(|address| address.port() == 9));
    let patience = config.replication.start_alone_after;
    assert_eq!(patience, Some(Duration::from_secs(3)));
}

#[test]
fn a_wrong_file_exits_78_and_names_line_and_hint() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("node.toml");
    let refused = r#"
        [node]\nnam = "n1" => :2: => unknown field `nam`, expected one of `id`
        \n[admin]\nlisten = "x" => :2: => unknown field `admin`
        [replication]\nack_timeout = "1s" => :2: => write "2ms" to "90ms"
        [memory]\n\nlimit = 64 => :3: => a size such as "64MB"
        [memory]\nlimit = "64" => :2: => KB, MB or GB
        [memory]\nmax_item_size = "40MB" => :2: => 1/2 of memory max
        [client]\nthreads = 0 => :2: => greater than 0
        [replication]\nmode = "sync" => :2: => write "semi-sync"
        [node]\nside = 3 => :2: => write 0 on one node
        [replication]\nfailover = "a:1" => : a pair needs => memtwin keygen
        [client]\nlisten = ["a:b"] => :2: => no port
        [sasl]\nusers = { a = "x" } => : there are passwords => nobody is asked for one
        client.sasl = true\nsasl.users = { "a " = "x" } => :2: => without spaces around it
        [node => :1: => [node
    "#;
    for [text, line, words] in rows(refused) {
        let text = text.replace("\\n", "\n");
        std::fs::write(&file, &text).unwrap();
        let (code, problem) = exit(&format!("--config {}", file.display()));
        assert_eq!(code, 78, "{text}: {problem}");
        let place = format!("{}{line}", file.display());
        assert!(problem.starts_with(&place), "{text}: {problem}");
        assert!(problem.contains(words), "{text}: {problem}");
    }
    assert_eq!(exit("--config /nonexistent/file").0, 78);
}
