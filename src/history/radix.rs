//! Sorting many whole numbers by their digits, which takes a few passes over them whatever their order.
//! Pure.

/// Digits of so many bits: a table of them fits the processor's nearest memory.
const BITS: u32 = 11;

/// Below so many a sort by comparison is as fast.
const FEW: usize = 512;

/// Sorts numbers in ascending order.
pub(super) fn sort<T: Copy + Default + Ord + Into<u64>>(numbers: &mut [T]) {
    if numbers.len() < FEW {
        return numbers.sort_unstable();
    }
    if numbers.is_sorted() {
        return;
    }
    let differing = differing_bits(numbers);
    let mut other = vec![T::default(); numbers.len()];
    let (mut from, mut to) = (&mut *numbers, &mut other[..]);
    let mut is_here = true;
    let mut shift = differing.trailing_zeros();
    while shift < u64::BITS && differing >> shift != 0 {
        let digit = |number: T| ((number.into() >> shift) & ((1 << BITS) - 1)) as usize;
        let mut places = [0_usize; 1 << BITS];
        for &number in &*from {
            places[digit(number)] += 1;
        }
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        for &number in &*from {
            let place = &mut places[digit(number)];
            to[*place] = number;
            *place += 1;
        }
        std::mem::swap(&mut from, &mut to);
        is_here = !is_here;
        shift += BITS;
    }
    if !is_here {
        numbers.copy_from_slice(&other);
    }
}

/// The bits in which any two of them differ.
fn differing_bits<T: Copy + Into<u64>>(numbers: &[T]) -> u64 {
    let first: u64 = numbers.first().map_or(0, |number| (*number).into());
    numbers
        .iter()
        .fold(0, |bits, number| bits | (first ^ (*number).into()))
}

/// Sorts times in ascending order, or lengths of either sign; milliseconds.
pub(super) fn sort_millis(millis: &mut [i64]) {
    let least = millis.iter().min().copied().unwrap_or_default();
    let above = millis
        .iter()
        .map(|time| time.wrapping_sub(least).cast_unsigned());
    let mut above: Vec<u64> = above.collect();
    sort(&mut above);
    for (time, above) in millis.iter_mut().zip(above) {
        *time = least.wrapping_add(above.cast_signed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_as_a_comparison_does() {
        // A generator of Lehmer's, for numbers in no order.
        let mut seed = 1_u64;
        let mut next = || {
            seed = seed.wrapping_mul(0xda94_2042_e4dd_58b5).wrapping_add(1);
            seed >> 1
        };
        for (count, shift) in [
            (0, 0),
            (10, 3),
            (600, 1),
            (2_000, 30),
            (3_000, 52),
            (9_000, 60),
        ] {
            let numbers: Vec<u64> = (0..count).map(|_| next() >> shift).collect();
            let mut expected = numbers.clone();
            expected.sort_unstable();
            let mut found = numbers.clone();
            sort(&mut found);
            assert_eq!(found, expected, "{count} {shift}");
            let mut short: Vec<u32> = numbers.iter().map(|n| (*n >> 20) as u32).collect();
            let mut expected = short.clone();
            expected.sort_unstable();
            sort(&mut short);
            assert_eq!(short, expected, "{count} {shift}");
            let mut times: Vec<i64> = numbers
                .iter()
                .map(|n| n.cast_signed() - (1 << 40))
                .collect();
            times.extend([i64::MIN, i64::MAX, 0]);
            let mut expected = times.clone();
            expected.sort_unstable();
            sort_millis(&mut times);
            assert_eq!(times, expected, "{count} {shift}");
        }
    }
}
