//! Random meta commands for the differential run.
//!
//! Every unique that is shown or compared was set with `E`: servers number their own differently.
//! Keys are their own, so that classic commands do not bring such numbers in. Times are long or
//! long past, and no answer tells one.

use fastrand::Rng;

use crate::random::Oracle;

/// Keys of values that are text, plain and in base64, and of numbers.
const TEXT_KEYS: [&str; 3] = ["m1", "m2", "meta-key"];
/// None holds a line end: memcached shows the key of an item that `N` made as it is.
const BASE64_KEYS: [&str; 3] = ["bTE= b", "AAEL/w== b", "bTI= b"];
const NUMBER_KEYS: [&str; 2] = ["mn1", "mn2"];
const UNIQUES: [&str; 6] = ["1000", "2000", "3000", "4000", "5000", "6000"];
/// None is as short or long as what `R` asks for.
const TIMES: [&str; 5] = ["0", "0", "1000", "-1", "500000"];
/// Words that are wrong in every command, or do nothing.
const ODD: [&str; 16] = [
    "T", "Tx", "N1x", "R", "Cx", "E-1", "F-1", "Jx", "D", "z", "1", "O1 O2", "P1", "L1", "Oabc",
    "Ox",
];
/// What 1.6.18 answers otherwise: it knows no E and x, and reads words that are no flags.
const NEW_ONLY: [&str; 4] = ["!", "~", "x", "F4294967296"];

/// One meta command, with its data if it takes some.
pub(crate) fn request(rng: &mut Rng, oracle: Oracle) -> Vec<u8> {
    match rng.u32(0..12) {
        0..4 => get(rng, oracle),
        4..8 => set(rng, oracle),
        8..10 => delete(rng, oracle),
        10 => arithmetic(rng, oracle),
        _ => line(pick(rng, &["mn", "mg", "ms k", "mx k", "ma", "md", "mn x"]).to_owned()),
    }
}

fn get(rng: &mut Rng, oracle: Oracle) -> Vec<u8> {
    let mut words = format!("mg {}", key(rng, oracle));
    for flag in ["v", "k", "s", "f", "q", "u", "h", "Oget"] {
        maybe(rng, &mut words, flag);
    }
    if oracle == Oracle::New {
        // A unique of its own numbering stays hidden: the item may not have one of ours.
        maybe_with(rng, &mut words, "C", &UNIQUES);
        if rng.u32(0..4) == 0 {
            let (time, unique) = (pick(rng, &TIMES), pick(rng, &UNIQUES));
            words += &format!(" N{time} E{unique}");
        }
    } else if rng.u32(0..4) == 0 {
        words += &format!(" N{}", pick(rng, &TIMES));
    }
    maybe_with(rng, &mut words, "T", &TIMES);
    maybe_with(rng, &mut words, "R", &["0", "30", "2000", "-1"]);
    odd(rng, oracle, &mut words);
    line(words)
}

fn set(rng: &mut Rng, oracle: Oracle) -> Vec<u8> {
    let number = rng.u32(0..4) == 0;
    let data = if number {
        rng.u64(0..1000).to_string()
    } else {
        "t".repeat(rng.usize(0..40))
    };
    let key = if number {
        pick(rng, &NUMBER_KEYS).to_owned()
    } else {
        key(rng, oracle)
    };
    // The length comes before a `b`.
    let (name, base64) = key.split_once(' ').unwrap_or((&key, ""));
    let mut words = format!("ms {name} {} {base64}", data.len());
    let words_end = words.trim_end().len();
    words.truncate(words_end);
    for flag in ["k", "q", "I", "Oset"] {
        maybe(rng, &mut words, flag);
    }
    if oracle == Oracle::New {
        words += &format!(" E{}", pick(rng, &UNIQUES));
        for flag in ["s", "c"] {
            // Both are about what is there in the end.
            maybe(rng, &mut words, flag);
        }
        maybe_with(rng, &mut words, "C", &UNIQUES);
    }
    let modes = if number {
        ["S", "E", "R", "S"].as_slice()
    } else if oracle == Oracle::New {
        ["E", "A", "P", "R", "S", "X", "Aa"].as_slice()
    } else {
        &["E", "A", "P", "R", "S"]
    };
    maybe_with(rng, &mut words, "M", modes);
    maybe_with(rng, &mut words, "T", &TIMES);
    maybe_with(rng, &mut words, "F", &["0", "7", "4294967295"]);
    if oracle == Oracle::New {
        maybe_with(rng, &mut words, "N", &TIMES);
        odd(rng, oracle, &mut words);
    }
    // A word that is no flag refuses the line before its length is known to be one.
    if words.ends_with('!') || words.ends_with('~') {
        return line(words);
    }
    let mut bytes = line(words);
    bytes.extend_from_slice(data.as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn delete(rng: &mut Rng, oracle: Oracle) -> Vec<u8> {
    let mut words = format!("md {}", key(rng, oracle));
    for flag in ["k", "q", "Odel"] {
        maybe(rng, &mut words, flag);
    }
    if oracle == Oracle::New {
        maybe_with(rng, &mut words, "C", &UNIQUES);
        maybe(rng, &mut words, "x");
        words += &format!(" E{}", pick(rng, &UNIQUES));
    }
    maybe(rng, &mut words, "I");
    maybe_with(rng, &mut words, "T", &TIMES);
    odd(rng, oracle, &mut words);
    line(words)
}

/// Without T and E on an item that is there: 1.6.45 forgets both when the number grows longer.
fn arithmetic(rng: &mut Rng, oracle: Oracle) -> Vec<u8> {
    let mut words = format!("ma {}", pick(rng, &NUMBER_KEYS));
    for flag in ["k", "v", "Oma"] {
        maybe(rng, &mut words, flag);
    }
    // Of a success 1.6.18 is not quiet.
    if oracle == Oracle::New {
        maybe(rng, &mut words, "q");
    }
    maybe_with(
        rng,
        &mut words,
        "D",
        &["1", "10", "1500", "1125899906842624"],
    );
    let modes = if oracle == Oracle::New {
        ["I", "+", "D", "-", "incr", "Decr"].as_slice()
    } else {
        &["I", "+", "D", "-"]
    };
    maybe_with(rng, &mut words, "M", modes);
    maybe_with(rng, &mut words, "N", &["0", "1000"]);
    maybe_with(rng, &mut words, "J", &["0", "13", "99"]);
    odd(rng, oracle, &mut words);
    line(words)
}

fn odd(rng: &mut Rng, oracle: Oracle, words: &mut String) {
    if rng.u32(0..12) != 0 {
        return;
    }
    let word = match oracle {
        // It has other words for a flag that comes twice, too.
        Oracle::Old => pick(rng, &["P1", "L1"]),
        Oracle::New if rng.bool() => pick(rng, &NEW_ONLY),
        Oracle::New => pick(rng, &ODD),
    };
    words.push(' ');
    words.push_str(word);
}

fn key(rng: &mut Rng, oracle: Oracle) -> String {
    match rng.u32(0..8) {
        0..2 => pick(rng, &BASE64_KEYS).to_owned(),
        // Each command of 1.6.18 has other words for a key that is no base64.
        2 if oracle == Oracle::New => "!!!! b".to_owned(),
        3 => "mmissing".to_owned(),
        _ => pick(rng, &TEXT_KEYS).to_owned(),
    }
}

fn maybe(rng: &mut Rng, words: &mut String, flag: &str) {
    if rng.u32(0..3) == 0 {
        words.push(' ');
        words.push_str(flag);
    }
}

fn maybe_with(rng: &mut Rng, words: &mut String, flag: &str, arguments: &[&str]) {
    if rng.u32(0..3) == 0 {
        words.push(' ');
        words.push_str(flag);
        words.push_str(pick(rng, arguments));
    }
}

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(0..from.len())]
}

fn line(words: String) -> Vec<u8> {
    [words.as_bytes(), b"\r\n"].concat()
}
