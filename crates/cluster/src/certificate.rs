//! Pure: when a client certificate ends. The API server only says `Unauthorized` to an expired one,
//! as it does to a wrong one.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// End of the first certificate of a PEM text; `None` where it cannot be read.
pub fn not_after(pem: &str) -> Option<Timestamp> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let base64: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    of_der(&BASE64_STANDARD.decode(base64).ok()?)
}

/// Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version, serial, algorithm, issuer, validity
/// SEQUENCE { notBefore, notAfter }, … (RFC 5280, 4.1)
fn of_der(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = inside(der, SEQUENCE)?;
    let (mut tbs, _) = inside(certificate, SEQUENCE)?;
    if tbs.first() == Some(&EXPLICIT_VERSION) {
        tbs = element(tbs)?.2;
    }
    for _ in ["serial", "algorithm", "issuer"] {
        tbs = element(tbs)?.2;
    }
    let (validity, _) = inside(tbs, SEQUENCE)?;
    let after_begin = element(validity)?.2;
    let (tag, text, _) = element(after_begin)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let full = match tag {
        GENERALIZED_TIME => text.to_owned(),
        // Two digits: 50 to 99 are of the last century.
        UTC_TIME => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", &full).ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

/// Content of the element of that tag, and what follows it.
fn inside(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// Tag, content and rest of the first DER element.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first & 0x7f {
        count if first & 0x80 != 0 => {
            let (digits, rest) = rest.split_at_checked(usize::from(count))?;
            let add = |sum: usize, digit: &u8| sum.checked_mul(256)?.checked_add(usize::from(*digit));
            (digits.iter().try_fold(0, add)?, rest)
        }
        short => (usize::from(short), rest),
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `openssl req -x509 -newkey ed25519 -nodes -subj /CN=x -days 30` (and `-days 12000`), so once with
    /// either form of time.
    const UTC: &str = include_str!("certificate/utc.pem");
    const GENERALIZED: &str = include_str!("certificate/generalized.pem");

    #[test]
    fn the_end_is_read() {
        assert_eq!(not_after(UTC).unwrap().to_string(), "2026-12-21T17:33:29Z");
        assert_eq!(
            not_after(GENERALIZED).unwrap().to_string(),
            "2059-09-29T17:33:29Z"
        );
        assert_eq!(
            not_after("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
            None
        );
        assert_eq!(not_after("nothing"), None);
    }

    proptest! {
        #[test]
        fn nonsense_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = of_der(&bytes);
        }

        #[test]
        fn a_certificate_with_one_wrong_byte_is_read_without_panic(at in 0usize..400, byte: u8) {
            let body: String = UTC.lines().filter(|line| !line.starts_with('-')).collect();
            let mut der = BASE64_STANDARD.decode(body).unwrap();
            if let Some(place) = der.get_mut(at) {
                *place = byte;
            }
            let _ = of_der(&der);
        }
    }
}
