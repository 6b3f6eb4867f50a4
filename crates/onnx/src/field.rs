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
        _ => {}
    }
}
