//! Properties of the meta grammar; its words are checked against memcached by the transcripts.

use proptest::prelude::*;

use super::key::{decode, encode};
use super::*;

fn fault(verb: MetaVerb, args: &str) -> &'static str {
    parse(verb, args.as_bytes()).unwrap_err().reply
}

fn letters(request: &MetaRequest<'_>) -> Vec<u8> {
    request.flags.iter().map(|(letter, _)| letter).collect()
}

#[test]
fn flags_keep_their_order_and_their_words() {
    let request = parse(MetaVerb::Get, b" key  v Oabc   t T30 k ").unwrap();
    assert_eq!(&request.key.bytes[..], b"key");
    assert_eq!(letters(&request), b"vOtTk");
    assert_eq!(request.flags.iter().nth(1), Some((b'O', &b"Oabc"[..])));
    assert!(request.options.value);
    assert_eq!(request.options.exptime, Some(30));
    assert_eq!(request.options.vivify, None);
}

#[test]
fn ms_knows_its_length_before_its_flags() {
    let request = parse(MetaVerb::Set, b" k 12 F7 MA").unwrap();
    assert_eq!(request.data_len, 12);
    assert_eq!(request.options.client_flags, 7);
    assert_eq!(request.options.mode, Some(b'A'));
    let error = parse(MetaVerb::Set, b" k 12 z").unwrap_err();
    assert_eq!(error.discard_bytes, 14);
}

#[test]
fn of_several_bad_arguments_the_last_names_the_error() {
    use MetaVerb::{Arithmetic, Get};
    for (verb, args, words) in [
        (Get, " k Tx", "bad token in command line format"),
        (Get, " k Tx J", "invalid numeric initial value"),
        (Get, " k Tx Fx", "bad token in command line format"),
        (Get, " k Fx", "bad command line format"),
        (Get, " k Tx v v J", "duplicate flag"),
        (Get, " k Tx z v v", "invalid flag"),
        (Arithmetic, " k Tx", "invalid or duplicate flag"),
    ] {
        assert_eq!(fault(verb, args), format!("CLIENT_ERROR {words}"), "{args}");
    }
}

#[test]
fn a_command_has_at_most_20_words() {
    let flags = "b c f h k l q s t u v E1 N1 R1 T1 O1 P1 L1";
    assert!(parse(MetaVerb::Get, format!(" YQ== {flags}").as_bytes()).is_ok());
    for (verb, args) in [
        (MetaVerb::Get, format!(" YQ== {flags} I")),
        (MetaVerb::Set, format!(" YQ== 1 {flags}")),
    ] {
        let too_long = "CLIENT_ERROR options flags are too long";
        assert_eq!(fault(verb, &args), too_long);
    }
}

#[test]
fn keys_are_decoded_as_memcached_does() {
    for (text, key) in [
        ("Zm9v", "foo"),
        ("Zm9vYg==", "foob"),
        ("Z-m_9\tv", "foo"),
        ("YQ==Zm9v", "a"),
        ("Y=Q=", "`"),
    ] {
        assert_eq!(decode(text.as_bytes()).as_deref(), Some(key.as_bytes()));
    }
    for text in ["Zm9", "====", "Y===", "", "----"] {
        assert_eq!(decode(text.as_bytes()), None, "{text}");
    }
}

proptest! {
    #[test]
    fn every_key_survives_base64(key in proptest::collection::vec(any::<u8>(), 1..=187)) {
        let mut text = Vec::new();
        encode(&key, &mut text);
        prop_assert_eq!(decode(&text), Some(key));
    }

    #[test]
    fn any_line_is_parsed_or_refused(args in proptest::collection::vec(any::<u8>(), 0..300)) {
        for verb in [MetaVerb::Get, MetaVerb::Set, MetaVerb::Delete, MetaVerb::Arithmetic] {
            if let Ok(request) = parse(verb, &args) {
                prop_assert!((1..=250).contains(&request.key.bytes.len()));
                prop_assert!(request.flags.iter().all(|(letter, word)| word[0] == letter));
            }
        }
        let _ = parse_inspection(&args);
    }

    #[test]
    fn plausible_lines_too(args in "( [a-zA-Z]{1,2}[0-9]{0,12}){1,22} ?") {
        for verb in [MetaVerb::Get, MetaVerb::Set, MetaVerb::Delete, MetaVerb::Arithmetic] {
            match parse(verb, args.as_bytes()) {
                Ok(request) => {
                    let mut once = letters(&request);
                    once.sort_unstable();
                    once.dedup();
                    prop_assert_eq!(once.len(), request.flags.iter().count());
                }
                Err(error) => {
                    prop_assert!(error.reply.starts_with("CLIENT_ERROR "));
                    prop_assert!(!error.close);
                    prop_assert!(verb == MetaVerb::Set || error.discard_bytes == 0);
                }
            }
        }
    }
}
