//! pkt-line framing of Git's smart protocol (gitprotocol-common, version 0).

use std::io::{self, Read};

/// One frame: four hex digits of length, themselves included, then the data.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Flush,
    Data(Vec<u8>),
}

pub(super) const FLUSH: &[u8] = b"0000";

/// A data frame; `data` is at most 65,516 bytes (everything this crate sends is a line).
pub(super) fn line(data: &str) -> Vec<u8> {
    format!("{:04x}{data}", data.len() + 4).into_bytes()
}

/// The next frame; `None` at the end of the stream.
pub(super) fn read(stream: &mut impl Read) -> io::Result<Option<Packet>> {
    let malformed = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut length = [0; 4];
    match stream.read(&mut length)? {
        0 => return Ok(None),
        count => stream.read_exact(&mut length[count..])?,
    }
    let text = std::str::from_utf8(&length).map_err(|_| malformed("the answer is not Git's protocol"))?;
    let length =
        usize::from_str_radix(text, 16).map_err(|_| malformed("the answer is not Git's protocol"))?;
    match length {
        0 => Ok(Some(Packet::Flush)),
        1..=3 => Err(malformed("a frame of an unknown kind")),
        _ => {
            let mut data = vec![0; length - 4];
            stream.read_exact(&mut data)?;
            Ok(Some(Packet::Data(data)))
        }
    }
}

/// The next frame as a line without its end; flush frames are `None`.
pub(super) fn read_line(stream: &mut impl Read) -> io::Result<Option<String>> {
    match read(stream)? {
        Some(Packet::Data(data)) => Ok(Some(
            String::from_utf8_lossy(&data).trim_end_matches('\n').to_owned(),
        )),
        Some(Packet::Flush) | None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames() {
        assert_eq!(line("a\n"), b"0006a\n");
        let mut stream = &b"0006a\n00000005b0004"[..];
        assert_eq!(read(&mut stream).unwrap(), Some(Packet::Data(b"a\n".to_vec())));
        assert_eq!(read(&mut stream).unwrap(), Some(Packet::Flush));
        assert_eq!(read(&mut stream).unwrap(), Some(Packet::Data(b"b".to_vec())));
        assert_eq!(read(&mut stream).unwrap(), Some(Packet::Data(Vec::new())));
        assert_eq!(read(&mut stream).unwrap(), None);
        for broken in [&b"00"[..], b"<htm", b"0003", b"0009ab"] {
            let mut stream = broken;
            assert!(read(&mut stream).is_err(), "{broken:?}");
        }
    }
}
