//! Where something belongs in a trace: the context of W3C Trace Context, as `traceparent` says it.

use std::fmt;

/// The context of a span: of the one that something happened in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace, never all zeros.
    pub id: [u8; 16],
    /// The span, never all zeros.
    pub span: [u8; 8],
    /// Whether the trace is recorded.
    pub sampled: bool,
}

/// The length of version 00, which every later version begins with.
const LENGTH: usize = 55;
/// The flag that says whether the trace is recorded.
const SAMPLED: u8 = 1;

impl Trace {
    /// How much it takes, in bytes.
    pub const BYTES: usize = 25;

    /// Reads a `traceparent`. What is not valid is no trace, as the specification has it: whoever sends
    /// it wants an event to be taken, and not to be refused for it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (head, rest) = text.as_bytes().split_at_checked(LENGTH)?;
        let mut fields = head.split(|&byte| byte == b'-');
        let [version] = bytes(fields.next()?)?;
        let (id, span, [flags]) = (bytes(fields.next()?)?, bytes(fields.next()?)?, bytes(fields.next()?)?);
        let is_whole = rest.is_empty() || (version != 0 && rest.starts_with(b"-"));
        if version == u8::MAX || !is_whole || fields.next().is_some() {
            return None;
        }
        Self::new(id, span, flags & SAMPLED != 0)
    }

    /// As it is kept in the log.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let Self { id, span, sampled } = self;
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(&id);
        bytes[16..24].copy_from_slice(&span);
        bytes[24] = u8::from(sampled);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (span, rest) = rest.split_first_chunk()?;
        Self::new(*id, *span, rest == [1])
    }

    fn new(id: [u8; 16], span: [u8; 8], sampled: bool) -> Option<Self> {
        (id != [0; 16] && span != [0; 8]).then_some(Self { id, span, sampled })
    }
}

impl fmt::Display for Trace {
    /// As a `traceparent`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, span) = (u128::from_be_bytes(self.id), u64::from_be_bytes(self.span));
        write!(f, "00-{id:032x}-{span:016x}-{:02x}", u8::from(self.sampled))
    }
}

/// The bytes that lower-case hexadecimal digits stand for.
fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

const fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_and_written_as_it_was() {
        for text in [TEXT, &TEXT.replace("-01", "-00")] {
            let trace = Trace::parse(text).unwrap();
            assert_eq!(trace.to_string(), text);
            assert_eq!(Trace::from_bytes(&trace.to_bytes()), Some(trace));
        }
        // Flags and versions that are not known yet.
        for later in
            [TEXT.replace("-01", "-ff"), format!("cc{}", &TEXT[2..]), format!("01{}-more", &TEXT[2..])]
        {
            assert_eq!(Trace::parse(&later), Trace::parse(TEXT), "{later}");
        }
    }

    #[test]
    fn what_is_not_valid_is_no_trace() {
        for wrong in [
            "",
            "00",
            &TEXT[..54],
            &format!("{TEXT}-"),
            &format!("{TEXT}0"),
            &format!("01{}0", &TEXT[2..]),
            &format!("ff{}", &TEXT[2..]),
            &TEXT.to_uppercase(),
            &TEXT.replace('-', "_"),
            &TEXT.replace("4bf9", "4bg9"),
            &TEXT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &TEXT.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &TEXT.replace("-01", "-0x"),
            &format!("{}é", &TEXT[..54]),
        ] {
            assert_eq!(Trace::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Trace::from_bytes(&[0; Trace::BYTES]), None);
    }
}
