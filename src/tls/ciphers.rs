//! OpenSSL's cipher lists, for the suites of TLS 1.2 that exist here.

use rustls::CipherSuite;

/// A suite of TLS 1.2 with OpenSSL's name for it and the words that select it.
struct Known {
    suite: CipherSuite,
    name: &'static str,
    words: &'static str,
}

macro_rules! known {
    ($($suite:ident $name:literal $words:literal;)*) => {
        [$(Known { suite: CipherSuite::$suite, name: $name, words: $words },)*]
    };
}

const KNOWN: [Known; 6] = known! {
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        "ECDHE-ECDSA-AES256-GCM-SHA384" "aECDSA ECDSA AES AESGCM AES256";
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        "ECDHE-RSA-AES256-GCM-SHA384" "aRSA AES AESGCM AES256";
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        "ECDHE-ECDSA-CHACHA20-POLY1305" "aECDSA ECDSA CHACHA20";
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        "ECDHE-RSA-CHACHA20-POLY1305" "aRSA CHACHA20";
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        "ECDHE-ECDSA-AES128-GCM-SHA256" "aECDSA ECDSA AES AESGCM AES128";
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        "ECDHE-RSA-AES128-GCM-SHA256" "aRSA AES AESGCM AES128";
};

/// Words that select every suite here.
const COMMON: [&str; 8] = [
    "ALL", "DEFAULT", "HIGH", "TLSv1.2", "ECDHE", "EECDH", "kECDHE", "kEECDH",
];

impl Known {
    /// Whether all words joined by `+` select this suite.
    fn answers_to(&self, words: &str) -> bool {
        words.split('+').all(|word| {
            word == self.name
                || self.suite.as_str() == Some(word)
                || self.words.split(' ').any(|known| word == known)
                || COMMON.contains(&word)
        })
    }
}

/// The suites that a list selects. As in OpenSSL, unknown words select nothing. The order has no
/// meaning, because the client's order is followed.
pub(super) fn choose(list: &str) -> Vec<CipherSuite> {
    let mut chosen: Vec<&Known> = Vec::new();
    let mut banned: Vec<&Known> = Vec::new();
    for rule in list.split([':', ',', ' ', ';']) {
        let mut word = rule.chars();
        let (sign, words) = match word.next() {
            Some(sign @ ('!' | '-' | '+')) => (sign, word.as_str()),
            _ => (' ', rule),
        };
        let named = KNOWN.iter().filter(|known| known.answers_to(words));
        match sign {
            // It only changes the order.
            '+' => {}
            '-' | '!' => {
                let named: Vec<_> = named.collect();
                chosen.retain(|known| !named.iter().any(|other| other.suite == known.suite));
                if sign == '!' {
                    banned.extend(named);
                }
            }
            _ => chosen.extend(named),
        }
    }
    let is_banned = |known: &&Known| banned.iter().any(|other| other.suite == known.suite);
    let left = chosen.into_iter().filter(|known| !is_banned(known));
    left.map(|known| known.suite).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<&'static str> {
        let chosen = choose(list);
        let chosen = KNOWN.iter().filter(|known| chosen.contains(&known.suite));
        chosen.map(|known| known.name).collect()
    }

    #[test]
    fn cipher_lists_are_read_as_openssl_reads_them() {
        let one = ["ECDHE-RSA-AES128-GCM-SHA256"];
        assert_eq!(names("ECDHE-RSA-AES128-GCM-SHA256"), one);
        assert_eq!(names("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), one);
        assert_eq!(names("AES128+aRSA"), one);
        assert_eq!(names("HIGH:!ECDSA:!CHACHA20:-AES256"), one);
        assert_eq!(names("aRSA+AES128,foo +AES256"), one);
        assert_eq!(names("DEFAULT:@STRENGTH").len(), 6);
        assert_eq!(names("EECDH+AESGCM").len(), 4);
        // A banned suite cannot be added again; a removed one can.
        assert_eq!(names("!AES:ALL").len(), 2);
        assert_eq!(names("-AES:ALL").len(), 6);
    }

    #[test]
    fn a_cipher_list_without_a_known_suite_selects_none() {
        let none = [
            "",
            "foo",
            "RC4:3DES",
            "TLS_AES_128_GCM_SHA256",
            "ALL:!ECDHE",
        ];
        for list in none {
            assert_eq!(names(list), [""; 0], "{list}");
        }
    }
}
