//! What the partner says of the pair that does not agree with the settings of this node. None of it
//! ends the link.

use std::net::IpAddr;

use crate::config::Address;
use crate::limits::POLICY_BYTES_MAX;
use crate::replication::link::{LinkConfig, Partner};

/// A setting that the two nodes see differently.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference<'a> {
    /// What this node has.
    pub(super) own: &'a str,
    /// What the partner has.
    pub(super) partner: &'a str,
}

/// The settings that should be equal, if they are not.
pub(super) fn of_settings<'a>(own: &'a LinkConfig, partner: &'a Partner) -> Option<Difference<'a>> {
    // As much of it as a hello takes.
    let end = own.policy.floor_char_boundary(POLICY_BYTES_MAX);
    let difference = Difference {
        own: &own.policy[..end],
        partner: &partner.policy,
    };
    (difference.own != difference.partner).then_some(difference)
}

/// The replication addresses of which the two nodes have other ideas: first this node's, then the
/// partner's.
pub(super) fn of_addresses<'a>(
    own: &'a LinkConfig,
    partner: &'a Partner,
) -> impl Iterator<Item = Difference<'a>> {
    let pairs = [
        (&own.listen_addr, &partner.failover_addr),
        (&own.failover_addr, &partner.listen_addr),
    ];
    pairs
        .into_iter()
        .filter(|(own, partner)| !may_be_same(own, partner))
        .map(|(own, partner)| Difference { own, partner })
}

/// Whether two texts can mean one address. A node need not have one; a name can stand for any
/// number, and a wildcard for any host.
fn may_be_same(one: &str, two: &str) -> bool {
    let (Ok(one), Ok(two)) = (Address::parse(one), Address::parse(two)) else {
        return true;
    };
    let ports_differ = one.port.is_some() && two.port.is_some() && one.port != two.port;
    !ports_differ && may_be_same_host(&one.host, &two.host)
}

fn may_be_same_host(one: &str, two: &str) -> bool {
    match (one.parse::<IpAddr>(), two.parse::<IpAddr>()) {
        (Ok(one), Ok(two)) => {
            one.is_unspecified() || two.is_unspecified() || one.to_canonical() == two.to_canonical()
        }
        (Err(_), Err(_)) => one == "*" || two == "*" || may_be_same_name(one, two),
        _ => true,
    }
}

/// A short name and its full one are one host.
fn may_be_same_name(one: &str, two: &str) -> bool {
    let labels = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let (one, two) = (labels(one), labels(two));
    one == two || one.starts_with(&format!("{two}.")) || two.starts_with(&format!("{one}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_wildcards_and_missing_addresses_are_no_difference() {
        for (one, two) in [
            ("", "10.0.0.1:11311"),
            ("10.0.0.1:11311", "10.0.0.1:11311"),
            ("0.0.0.0:11311", "10.0.0.1:11311"),
            ("[::]:11311", "10.0.0.1:11311"),
            ("*:11311", "node-a:11311"),
            ("*:11311", "10.0.0.1:11311"),
            ("node-a:11311", "10.0.0.1:11311"),
            ("node-a:11311", "Node-A.example.com.:11311"),
            ("[::ffff:10.0.0.1]:11311", "10.0.0.1:11311"),
            ("no address:at all", "10.0.0.1:11311"),
        ] {
            let is_same = [may_be_same(one, two), may_be_same(two, one)];
            assert_eq!(is_same, [true; 2], "{one} {two}");
        }
    }

    #[test]
    fn other_ports_numbers_and_names_are_a_difference() {
        for (one, two) in [
            ("10.0.0.1:11311", "10.0.0.1:11312"),
            ("*:11311", "10.0.0.1:11312"),
            ("node-a:11311", "10.0.0.1:11312"),
            ("10.0.0.1:11311", "10.0.0.2:11311"),
            ("[::1]:11311", "127.0.0.1:11311"),
            ("node-a:11311", "node-b:11311"),
            ("node:11311", "node-b:11311"),
        ] {
            let is_same = [may_be_same(one, two), may_be_same(two, one)];
            assert_eq!(is_same, [false; 2], "{one} {two}");
        }
    }

    #[test]
    fn each_address_is_compared_with_what_the_other_node_takes_it_for() {
        let own = LinkConfig {
            ack_timeout_ms: None,
            side: 0,
            node_id: String::new(),
            incarnation: 1,
            policy: "a".to_owned(),
            listen_addr: "10.0.0.1:1".to_owned(),
            failover_addr: "10.0.0.2:2".to_owned(),
        };
        let mut partner = Partner {
            side: 1,
            node_id: String::new(),
            incarnation: 2,
            policy: "a".to_owned(),
            listen_addr: "10.0.0.2:2".to_owned(),
            failover_addr: "10.0.0.1:1".to_owned(),
        };
        assert_eq!(of_addresses(&own, &partner).count(), 0);
        assert_eq!(of_settings(&own, &partner), None);
        "10.0.0.9:1".clone_into(&mut partner.failover_addr);
        "b".clone_into(&mut partner.policy);
        let found: Vec<_> = of_addresses(&own, &partner).collect();
        let difference = |own, partner| Difference { own, partner };
        assert_eq!(found, [difference("10.0.0.1:1", "10.0.0.9:1")]);
        let long = LinkConfig {
            policy: "b".repeat(POLICY_BYTES_MAX + 1),
            ..own.clone()
        };
        partner.policy = "b".repeat(POLICY_BYTES_MAX);
        assert_eq!(of_settings(&long, &partner), None);
        "b".clone_into(&mut partner.policy);
        assert_eq!(of_settings(&own, &partner), Some(difference("a", "b")));
    }
}
