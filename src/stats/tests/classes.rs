//! `stats items`, `stats slabs`, `stats detail`. The transcripts `stats_classes` and `stats_sizes`
//! compare their keys, and those of used classes, with memcached itself.

use super::*;
use crate::store::{Action, ItemHead};

impl TestNode {
    /// Stores a value of this length that never expires.
    fn put(&self, key: &str, value_len: usize) {
        let store = &self.store;
        let pending = store.pending_item(key.as_bytes(), &ItemHead::default(), value_len);
        let pending = pending.unwrap();
        let batch = &mut OpContext::at(self.now);
        store.update(key.as_bytes(), batch, |_| (Action::Put(pending), ()));
    }

    fn remove(&self, key: &str) {
        let batch = &mut OpContext::at(self.now);
        let removal = (Action::Remove, ());
        self.store.update(key.as_bytes(), batch, |_| removal);
    }
}

#[test]
fn segments_have_keys_as_in_memcached() {
    let mut node = TestNode::new();
    node.put("a", 1);
    let items = |node: &TestNode| names(&node.answer("items")).len();
    assert_eq!(items(&node), 28);
    node.config.tuning.lru.temporary = true;
    assert_eq!(items(&node), 29);
    assert_eq!(node.value("items", "items:1:number_temp"), "0");
    node.config.tuning.lru.maintainer = false;
    assert_eq!(items(&node), 14);
}

#[test]
fn items_are_counted_in_their_class_until_they_are_removed() {
    let mut node = TestNode::new();
    node.put("a", 1);
    node.now.boot_ms += 5064;
    node.put("b", 2);
    node.put("c", 50);
    let items = |key: &str| node.value("items", key);
    assert_eq!(items("items:1:number"), "2");
    assert_eq!(items("items:1:number_cold"), "2");
    assert_eq!(items("items:1:mem_requested"), "123");
    assert_eq!(items("items:1:age"), "5");
    assert_eq!(items("items:2:number"), "1");
    assert_eq!(items("items:2:age"), "0");
    node.put("a", 60);
    assert_eq!(items("items:1:number"), "1");
    assert_eq!(items("items:2:number"), "2");
    assert_eq!(items("items:2:mem_requested"), "230");
    node.remove("b");
    assert!(!node.answer("items").contains("items:1:"));
    let slabs = |key: &str| node.value("slabs", key);
    assert_eq!(slabs("2:used_chunks"), "2");
    assert_eq!(slabs("2:total_chunks"), "8738");
    assert_eq!(slabs("2:free_chunks"), "8736");
    assert_eq!(slabs("active_slabs"), "1");
    let used_bytes = node.store.memory().used_bytes.to_string();
    assert_eq!(slabs("total_malloced"), used_bytes);
}

#[test]
fn an_item_over_the_largest_chunk_takes_several() {
    let node = TestNode::new();
    for key in ["a", "b", "c"] {
        node.put(key, 1_000_000);
    }
    assert_eq!(node.value("slabs", "39:used_chunks"), "6");
    assert_eq!(node.value("slabs", "39:total_pages"), "3");
    assert_eq!(node.value("slabs", "39:free_chunks"), "0");
}

/// Each counter has a number of its own, so none is shown under another's key.
#[test]
fn every_counter_of_a_class_is_shown() {
    let node = TestNode::new();
    node.put("a", 1);
    for (number, (name, counter)) in (70_000..).zip(node.workers[2].class(1).each()) {
        counter.add(number);
        let key = format!("1:{name}");
        assert_eq!(node.value("slabs", &key), number.to_string());
    }
    count_in_class(&node.store, 1, 10);
    for (key, value) in [
        ("evicted", "11"),
        ("evicted_nonzero", "12"),
        ("evicted_time", "13"),
        ("evicted_unfetched", "14"),
        ("outofmemory", "15"),
        ("reclaimed", "16"),
        ("expired_unfetched", "17"),
        ("direct_reclaims", "27"),
        ("hits_to_cold", "70000"),
    ] {
        let key = format!("items:1:{key}");
        assert_eq!(node.value("items", &key), value, "{key}");
    }
}

#[test]
fn stats_detail_takes_the_beginning_of_a_word() {
    let mut node = TestNode::new();
    let answers = ["OK\r\n", "OK\r\n", "END\r\n"];
    for (args, answer) in ["detail off", "d o", "det dump"].into_iter().zip(answers) {
        assert_eq!(node.answer(args), answer, "{args}");
    }
    assert_eq!(node.value("settings", "detail_enabled"), "yes");
    node.config.client.dumps = false;
    let refused = "CLIENT_ERROR stats detail not allowed\r\n";
    assert_eq!(node.answer("detail off"), refused);
    assert_eq!(node.value("settings", "detail_enabled"), "yes");
}
