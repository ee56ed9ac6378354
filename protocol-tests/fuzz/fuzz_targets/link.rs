//! A partner that speaks the link's frames, or nearly.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz::partner(input));
