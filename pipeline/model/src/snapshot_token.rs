//! Snapshot tokens: the name of exactly one committed state of one lake.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Instant;

/// Names the state after one epoch. Written `t1-<lake>-<epoch>-<system time>`, the last two in hexadecimal.
///
/// A token is a name, not a permission: reading under it is authorised like any other read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotToken {
    /// First eight hexadecimal digits of the lake's identity, so that another lake's token is not taken for ours.
    pub lake: u32,
    /// The last epoch the state contains.
    pub epoch: u64,
    /// That epoch's system time.
    pub system_time: Instant,
}

impl fmt::Display for SnapshotToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t1-{:08x}-{:x}-{:x}", self.lake, self.epoch, self.system_time.0)
    }
}

impl FromStr for SnapshotToken {
    type Err = String;

    fn from_str(text: &str) -> Result<SnapshotToken, String> {
        let parse = || {
            let mut parts = text.strip_prefix("t1-")?.split('-');
            let lake = u32::from_str_radix(parts.next()?, 16).ok()?;
            let epoch = u64::from_str_radix(parts.next()?, 16).ok()?;
            let system_time = Instant(i64::from_str_radix(parts.next()?, 16).ok()?);
            parts.next().is_none().then_some(SnapshotToken { lake, epoch, system_time })
        };
        parse().ok_or_else(|| {
            "this is not a snapshot token; send back the Tidemark-Snapshot header of an answer".to_owned()
        })
    }
}

impl From<SnapshotToken> for String {
    fn from(token: SnapshotToken) -> String {
        token.to_string()
    }
}

impl TryFrom<String> for SnapshotToken {
    type Error = String;

    fn try_from(text: String) -> Result<SnapshotToken, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_as_it_is_written() {
        let token = SnapshotToken { lake: 0xdead_beef, epoch: 4_711, system_time: Instant(1_790_000_000_000_001) };
        assert_eq!(token.to_string().parse(), Ok(token));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "t1-", "t1-1-2", "t1-1-2-3-4", "t2-1-2-3", "t1-g-2-3"] {
            assert!(text.parse::<SnapshotToken>().is_err(), "{text}");
        }
    }
}
