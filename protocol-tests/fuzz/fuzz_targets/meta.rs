//! A client that speaks the meta commands, or nearly.

#![no_main]

use fuzz::Grammar;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz::clients(Grammar::Meta, input));
