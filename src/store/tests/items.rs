//! Items outside a table.

use super::item::ITEM_HEADER_BYTES;
use super::*;

#[test]
fn the_header_takes_64_bytes_of_an_allocation() {
    assert_eq!(ITEM_HEADER_BYTES, 64);
}

#[test]
fn a_cas_set_by_a_client_hides_neither_key_nor_value() {
    let head = ItemHead {
        cas: Some(0xfedc_ba98_7654_3210),
        ..ItemHead::default()
    };
    let mut item = Item::allocate(b"key", &head, 5).unwrap();
    item.with_value_mut(|value| value.copy_from_slice(b"value"));
    assert_eq!((item.key(), item.value()), (&b"key"[..], &b"value"[..]));
    assert_eq!(item.cas(), 0xfedc_ba98_7654_3210);
    assert_eq!(item.clone().value(), b"value");
    assert!(!item.is_tombstone());
}

#[test]
fn an_item_with_two_handles_is_not_written() {
    let mut item = Item::allocate(b"k", &ItemHead::default(), 1).unwrap();
    let other = item.clone();
    item.with_value_mut(|value| value[0] = 9);
    assert_eq!(other.value(), [0]);
}
