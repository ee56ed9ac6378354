//! Properties of the text grammar; its words are checked against memcached by the transcripts.

use proptest::prelude::*;

use super::*;

fn reply(line: &[u8]) -> &'static str {
    parse(line).unwrap_err().reply
}

#[test]
fn a_fault_after_a_good_length_swallows_the_data() {
    let discarded = |line: &[u8]| parse(line).unwrap_err().discard_bytes;
    assert_eq!(discarded(b"set a x 0 5\r\n"), 7);
    assert_eq!(discarded(b"cas a 0 0 5 x\r\n"), 7);
    assert_eq!(discarded(b"set a 0 0 -1\r\n"), 0);
    assert_eq!(discarded(b"set a 0 0 2147483647\r\n"), 0);
}

#[test]
fn noreply_hides_errors_where_memcached_hides_them() {
    assert_eq!(reply(b"foo noreply\r\n"), "");
    assert_eq!(reply(b"delete a 10 noreply\r\n"), "");
    assert_eq!(reply(b"incr a x noreply\r\n"), "");
    let no_length = reply(b"set a 0 0 noreply\r\n");
    assert_eq!(no_length, "CLIENT_ERROR bad command line format");
}

#[test]
fn numbers_are_read_as_memcached_reads_them() {
    assert_eq!(strict_u64(b"18446744073709551615"), Some(u64::MAX));
    assert_eq!(strict_u64(b"18446744073709551616"), None);
    assert_eq!(strict_i32(b"-2147483648"), Some(i32::MIN));
    assert_eq!(strict_i32(b"+1"), None);
    assert_eq!(number::client_flags(b"4294967296"), Some(0));
    assert_eq!(number::client_flags(b"-1"), None);
    assert_eq!(number::exptime(b"2147483648"), Some(i32::MIN));
    assert_eq!(number::exptime(b"9223372036854775808"), None);
    assert_eq!(number::client_flags(b"7\0"), Some(7));
    assert_eq!(number::exptime(b"-1\0x"), Some(-1));
    assert_eq!(strict_u64(b"1\0"), None);
}

fn admin(line: &str) -> Admin {
    match parse(line.as_bytes()) {
        Ok(TextRequest::Admin { command, .. }) => command,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_beginning_of_a_subcommand_is_the_subcommand() {
    let ratio = Admin::Slabs(Slabs::Ratio(0.5));
    assert_eq!(admin("slabs automove ratio 0.5\r\n"), ratio);
    assert_eq!(admin("slabs a r 0.5\r\n"), ratio);
    let ttl = Admin::Lru(Lru::TempTtl { secs: Some(5) });
    // Too short for `tune`, long enough for the next one.
    assert_eq!(admin("lru t 5 6 7\r\n"), ttl);
    assert_eq!(reply(b"slabs automover 1\r\n"), "ERROR");
    assert_eq!(reply(b"lru_crawler c 1 2\r\n"), "ERROR");
    assert_eq!(reply(b"lru_crawler enable noreply\r\n"), "");
}

#[test]
fn numbers_of_settings_are_bounded() {
    let all = "ERROR hot and warm pcts must not exceed 80";
    assert_eq!(reply(b"lru tune 4294967295 1 1 1\r\n"), all);
    let megabytes = 1_000_000_000;
    let limit = admin("cache_memlimit 1000000000\r\n");
    assert_eq!(limit, Admin::MemoryLimit { megabytes });
}

#[test]
fn class_lists_are_read_as_memcached_reads_them() {
    let crawl = |list: &str| match admin(&format!("lru_crawler crawl {list}\r\n")) {
        Admin::Crawler(CrawlerCommand::Crawl(classes)) => classes,
        other => panic!("{list}: {other:?}"),
    };
    let listed = crawl("1,63,,1").unwrap();
    assert!(listed.contain(1) && listed.contain(63) && !listed.contain(2) && !listed.contain(64));
    assert!(crawl("all").unwrap().contain(64));
    assert!(crawl(",").unwrap().are_none());
    for wrong in ["0", "64", "x", "1,x", "-1", "allx"] {
        assert_eq!(crawl(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_line_panics(mut line in proptest::collection::vec(any::<u8>(), 0..300)) {
        line.push(b'\n');
        let _ = parse(&line);
    }

    #[test]
    fn nearly_good_lines_never_panic(
        words in proptest::collection::vec(
            prop_oneof!["get|gets|gat|set|cas|incr|touch|delete|flush_all|noreply|stats",
                        "lru|slabs|lru_crawler|automove|window|tune|metadump|crawl|shutdown",
                        "-?[0-9]{1,22}", "[a-z]{1,260}", " {1,3}"], 0..8),
    ) {
        let line = format!("{}\r\n", words.join(" "));
        if let Ok(TextRequest::Store(storage)) = parse(line.as_bytes()) {
            prop_assert!(storage.key.len() <= 250);
        }
    }
}
