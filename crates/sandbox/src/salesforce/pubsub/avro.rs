//! Avro's binary form, as far as change events need it: a bare datum without any header.

/// A datum being written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Datum(pub(super) Vec<u8>);

impl Datum {
    /// `int`, `long`, an enum's place and a union's branch: zigzag, seven bits a byte.
    pub(super) fn long(&mut self, number: i64) {
        let mut rest = ((number << 1) ^ (number >> 63)) as u64;
        while rest >= 0x80 {
            self.0.push((rest as u8 & 0x7f) | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.long(text.len() as i64);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn double(&mut self, number: f64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    /// One block of texts, and the empty block that ends an array.
    pub(super) fn texts<S: AsRef<str>>(&mut self, texts: &[S]) {
        if !texts.is_empty() {
            self.long(texts.len() as i64);
            for text in texts {
                self.text(text.as_ref());
            }
        }
        self.long(0);
    }

    /// The branch of a union of null and one more.
    pub(super) fn branch(&mut self, has_value: bool) {
        self.long(i64::from(has_value));
    }
}

/// Bits as the header's lists show them: upper-case hexadecimal, the lowest bit last, whole bytes.
pub(super) fn bitmap(bits: &[usize]) -> Option<String> {
    use std::fmt::Write as _;
    let top = *bits.iter().max()?;
    let mut bytes = vec![0u8; top / 8 + 1];
    let last = bytes.len() - 1;
    for bit in bits {
        bytes[last - bit / 8] |= 1 << (bit % 8);
    }
    let mut text = "0x".to_owned();
    for byte in bytes {
        let _ = write!(text, "{byte:02X}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_zigzag() {
        let table: [(i64, &[u8]); 6] = [
            (0, &[0]),
            (-1, &[1]),
            (1, &[2]),
            (-64, &[127]),
            (64, &[128, 1]),
            (i64::MIN, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ];
        for (number, bytes) in table {
            let mut datum = Datum::default();
            datum.long(number);
            assert_eq!(datum.0, bytes, "{number}");
        }
    }

    #[test]
    fn bits_read_from_the_right() {
        let table: [(&[usize], Option<&str>); 5] = [
            (&[], None),
            (&[0], Some("0x01")),
            (&[11, 22], Some("0x400800")),
            (&[5, 8, 9], Some("0x0320")),
            (&[16], Some("0x010000")),
        ];
        for (bits, text) in table {
            assert_eq!(bitmap(bits).as_deref(), text, "{bits:?}");
        }
    }
}
