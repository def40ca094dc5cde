//! Whole numbers as the least one and what each is above it, all in as many bytes as the largest takes.
//! Pure.
//!
//! Times of processes that were created one after another lie close together, so that three or four bytes
//! do; and bytes, unlike bits, are read as fast as memory.

/// The width, and the least number.
const HEAD: usize = 9;

/// Packs numbers.
pub(super) fn pack(values: &[i64]) -> Vec<u8> {
    let least = values.iter().copied().min().unwrap_or_default();
    let above = |value: &i64| value.wrapping_sub(least).cast_unsigned();
    let most = values.iter().map(above).max().unwrap_or_default();
    let width = (u64::BITS - most.leading_zeros()).div_ceil(8) as usize;
    let mut packed = Vec::with_capacity(HEAD + width * values.len());
    packed.push(width as u8);
    packed.extend_from_slice(&least.to_le_bytes());
    for value in values {
        packed.extend_from_slice(&above(value).to_le_bytes()[..width]);
    }
    packed
}

/// Reads `count` numbers into `values`, in place of what is there; none where these are not they.
pub(super) fn unpack(packed: &[u8], count: usize, values: &mut Vec<i64>) -> Option<()> {
    values.clear();
    let (head, data) = packed.split_at_checked(HEAD)?;
    let (width, least) = head.split_first()?;
    let least = i64::from_le_bytes(least.try_into().ok()?);
    if usize::from(*width).checked_mul(count)? != data.len() {
        return None;
    }
    match width {
        0 => values.resize(count, least),
        1 => widen::<1>(data, least, values),
        2 => widen::<2>(data, least, values),
        3 => widen::<3>(data, least, values),
        4 => widen::<4>(data, least, values),
        5 => widen::<5>(data, least, values),
        6 => widen::<6>(data, least, values),
        7 => widen::<7>(data, least, values),
        8 => widen::<8>(data, least, values),
        _ => return None,
    }
    Some(())
}

/// One loop for each width, so that the compiler knows it.
fn widen<const WIDTH: usize>(data: &[u8], least: i64, values: &mut Vec<i64>) {
    let (chunks, _) = data.as_chunks::<WIDTH>();
    values.resize(chunks.len(), 0);
    for (value, chunk) in values.iter_mut().zip(chunks) {
        let mut above = 0;
        let mut at = 0;
        while at < WIDTH {
            above |= u64::from(chunk[at]) << (8 * at);
            at += 1;
        }
        *value = least.wrapping_add(above.cast_signed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_in_as_many_bytes_as_their_range_takes() {
        for (numbers, width) in [
            (&[][..], 0),
            (&[5, 5, 5], 0),
            (&[-1, 254], 1),
            (&[-1, 255], 2),
            (&[1 << 40, (1 << 40) + 65_536], 3),
            (&[0, 1 << 24], 4),
            (&[0, (1 << 32) - 1, 7], 4),
            (&[0, 1 << 32], 5),
            (&[-62_167_219_200_000, 253_402_300_799_999], 7),
            (&[0, i64::MAX], 8),
            (&[i64::MIN, -1, i64::MAX], 8),
        ] {
            let packed = pack(numbers);
            assert_eq!(usize::from(packed[0]), width, "{numbers:?}");
            assert_eq!(packed.len(), HEAD + width * numbers.len(), "{numbers:?}");
            let mut back = vec![1, 2, 3];
            unpack(&packed, numbers.len(), &mut back).expect("what was packed");
            assert_eq!(back, numbers);
            assert!(unpack(&packed[..packed.len() - 1], numbers.len(), &mut back).is_none());
            assert!(width == 0 || unpack(&packed, numbers.len() + 1, &mut back).is_none());
        }
        assert!(unpack(&[9; 18], 1, &mut Vec::new()).is_none());
    }
}
