//! Floats of both widths, as the operators compute with them.

use super::value::Scalar;

/// Floating point of either width.
pub(crate) trait Real:
    Scalar
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Neg<Output = Self>
    + std::ops::AddAssign
    + std::ops::DivAssign
{
    /// An unsigned integer of the same width.
    type Key: Copy + Ord + Default + std::fmt::Debug + Send + Sync;
    const ONE: Self;
    const LOWEST: Self;
    fn from_f64(value: f64) -> Self;
    fn wide(self) -> f64;
    fn exp(self) -> Self;
    fn abs(self) -> Self;
    fn is_nan(self) -> bool;
    /// The largest number below; NaN, below which nothing compares, where there is none.
    fn below(self) -> Self;
    /// Its place in the order of all numbers, `-0.0` at `0.0`'s and NaN before all: what compares
    /// faster than the number itself.
    fn key(self) -> Self::Key;
    /// A key above those of all numbers that carries a number below 2^22.
    fn carrier(number: u32) -> Self::Key;
    /// The number that a carrier carries.
    fn carried(key: Self::Key) -> u32;
    /// The same numbers where they are floats.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    fn floats(numbers: &[Self]) -> Option<&[f32]>;
}

/// Bits of a carrier that carry.
const CARRIED: u32 = (1 << 22) - 1;

macro_rules! real {
    ($type:ty, $key:ty, $floats:expr) => {
        impl Real for $type {
            type Key = $key;
            const ONE: Self = 1.0;
            const LOWEST: Self = <$type>::MIN;
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            fn wide(self) -> f64 {
                f64::from(self)
            }
            fn exp(self) -> Self {
                self.exp()
            }
            fn abs(self) -> Self {
                self.abs()
            }
            fn is_nan(self) -> bool {
                self.is_nan()
            }
            fn below(self) -> Self {
                if self == <$type>::NEG_INFINITY {
                    <$type>::NAN
                } else {
                    self.next_down()
                }
            }
            #[inline(always)]
            fn key(self) -> $key {
                // Adding zero turns -0.0 into 0.0. Then: numbers below zero have the sign's bit and
                // their order is reversed (IEEE 754, 5.10 on totalOrder).
                let bits = (self + 0.0).to_bits();
                let sign = 1 << (<$key>::BITS - 1);
                let key = if bits & sign == 0 { bits | sign } else { !bits };
                if self.is_nan() { 0 } else { key }
            }
            fn carrier(number: u32) -> $key {
                debug_assert!(number <= CARRIED);
                <$key>::MAX - <$key>::from(CARRIED - number & CARRIED)
            }
            #[inline(always)]
            fn carried(key: $key) -> u32 {
                key as u32 & CARRIED
            }
            fn floats(numbers: &[Self]) -> Option<&[f32]> {
                $floats(numbers)
            }
        }
    };
}
real!(f32, u32, Some);
real!(f64, u64, |_| None);

#[cfg(test)]
mod tests {
    use super::Real;
    use proptest::prelude::*;

    #[test]
    fn keys_are_in_the_order_of_the_numbers() {
        let ascending = [
            f32::NEG_INFINITY,
            f32::MIN,
            -1.5,
            -f32::MIN_POSITIVE,
            -1e-45,
            0.0,
            1e-45,
            f32::MIN_POSITIVE,
            1.5,
            f32::MAX,
            f32::INFINITY,
        ];
        assert!(ascending.windows(2).all(|pair| pair[0].key() < pair[1].key()));
        assert_eq!((-0.0f32).key(), 0.0f32.key());
        assert!([f32::NAN, -f32::NAN].iter().all(|nan| nan.key() == 0));
        assert!(f32::NEG_INFINITY.key() > 0 && f64::NEG_INFINITY.key() > 0);
    }

    #[test]
    fn carriers_are_above_all_numbers_and_give_back_what_they_carry() {
        for number in [0, 1, 4711, (1 << 22) - 1] {
            assert!(f32::carrier(number) > f32::INFINITY.key());
            assert!(f64::carrier(number) > f64::INFINITY.key());
            assert_eq!(f32::carried(f32::carrier(number)), number);
            assert_eq!(f64::carried(f64::carrier(number)), number);
        }
    }

    proptest! {
        #[test]
        fn keys_compare_as_numbers_do(a in any::<u32>(), b in any::<u32>(), c in any::<u64>(), d in any::<u64>()) {
            let (a, b, c, d) = (f32::from_bits(a), f32::from_bits(b), f64::from_bits(c), f64::from_bits(d));
            prop_assume!(!a.is_nan() && !b.is_nan() && !c.is_nan() && !d.is_nan());
            prop_assert_eq!(a > b, a.key() > b.key());
            prop_assert_eq!(c > d, c.key() > d.key());
        }
    }
}
