//! Long lists of numbers in protobuf: exporters write them entry by entry, each behind the same key.

use prost::encoding::WireType;

/// Skips entries whose key is the one byte `key`, as long as they are plain: what is not is left to
/// be read, and refused, one by one.
pub(crate) fn skip_list(rest: &mut &[u8], key: u8, wire: WireType) {
    match wire {
        WireType::ThirtyTwoBit => {
            while let [first, _, _, _, _, after @ ..] = *rest
                && *first == key
            {
                *rest = after;
            }
        }
        WireType::Varint => {
            while let [first, after @ ..] = *rest
                && *first == key
            {
                // Ten bytes are possible, and may be too many bits.
                let Some(last) = after.iter().take(9).position(|byte| byte & 0x80 == 0) else {
                    return;
                };
                *rest = &after[last + 1..];
            }
        }
        WireType::LengthDelimited => {
            while let [first, length, after @ ..] = *rest
                && *first == key
                && *length < 0x80
                && after.len() >= usize::from(*length)
            {
                *rest = &after[usize::from(*length)..];
            }
        }
        _ => {}
    }
}

/// Skips entries that are one of these words, as [`skip_list`] does.
pub(crate) fn skip_words(rest: &mut &[u8], key: u8, words: &[&[u8]]) {
    'entries: while let [first, length, after @ ..] = *rest
        && *first == key
    {
        for word in words {
            if usize::from(*length) == word.len() && after.starts_with(word) {
                *rest = &after[word.len()..];
                continue 'entries;
            }
        }
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::encoding::{decode_key, decode_varint};

    /// Entry by entry, as prost reads them.
    fn slowly(mut rest: &[u8], key: u8, wire: WireType) -> &[u8] {
        loop {
            let mut next = rest;
            if next.first() != Some(&key) || decode_key(&mut next).is_err() {
                return rest;
            }
            let skip = match wire {
                WireType::Varint => decode_varint(&mut next).map(|_| 0).ok(),
                WireType::ThirtyTwoBit => Some(4),
                _ => decode_varint(&mut next)
                    .ok()
                    .and_then(|length| usize::try_from(length).ok()),
            };
            match skip.and_then(|skip| next.get(skip..)) {
                Some(after) => rest = after,
                None => return rest,
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_skipped_is_what_would_be_read(bytes in prop::collection::vec(prop_oneof![Just(0x42u8), any::<u8>()], 0..64)) {
            for (key, wire) in [(0x40, WireType::Varint), (0x42, WireType::LengthDelimited), (0x45, WireType::ThirtyTwoBit)] {
                // Bytes of lists: every second one begins an entry.
                let bytes: Vec<u8> = bytes.chunks(3).flat_map(|some| [&[key], some].concat()).collect();
                let mut quick = &bytes[..];
                skip_list(&mut quick, key, wire);
                let slow = slowly(&bytes, key, wire);
                // Long entries are left to the slow way.
                prop_assert!(quick.len() >= slow.len());
                prop_assert_eq!(slowly(quick, key, wire), slow);
            }
        }
    }

    #[test]
    fn only_the_words_are_skipped() {
        let bytes = b"\x4a\x04LEAF\x4a\x0aBRANCH_LEQ\x4a\x04LEAK\x4a\x04LEAF";
        let mut rest = &bytes[..];
        skip_words(&mut rest, 0x4a, &[b"LEAF", b"BRANCH_LEQ"]);
        assert_eq!(rest, b"\x4a\x04LEAK\x4a\x04LEAF");
    }
}
