//! A client that speaks the binary protocol, or nearly.

#![no_main]

use fuzz::Grammar;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz::clients(Grammar::Binary, input));
