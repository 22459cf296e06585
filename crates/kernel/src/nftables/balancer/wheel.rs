//! How often a destination comes among the numbers that a rule draws.

/// Numbers of a wheel at most, unless there are more destinations.
const FINEST: u64 = 1024;
/// Sizes of tables for hashes, primes as Maglev wants them.
const SIZES: [u32; 9] = [251, 509, 1021, 2039, 4093, 8191, 16_381, 32_749, 65_521];
/// A table has so many places for each destination, if it can.
const PLACES: u64 = 64;

/// Each destination as often as its weight says, spread as evenly as can be: places into `weights`.
/// Those with weight 0 are not on it.
pub(super) fn wheel(weights: &[u32]) -> Vec<usize> {
    let divisor = weights.iter().fold(0, |divisor, weight| common_divisor(divisor, *weight));
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let sum = sum.checked_div(divisor.into()).unwrap_or_default();
    let limit = FINEST.max(u64::try_from(weights.len()).unwrap_or(FINEST));
    let turns = |weight: u32| {
        let turns = u64::from(weight).checked_div(divisor.into()).unwrap_or_default();
        if sum <= limit || turns == 0 {
            turns
        } else {
            turns.saturating_mul(limit).checked_div(sum).unwrap_or_default().max(1)
        }
    };
    let mut places = Vec::new();
    for (place, weight) in weights.iter().enumerate() {
        let turns = turns(*weight);
        // The k-th of n turns is in the middle of the k-th n-th of the wheel.
        let step = (1_u64 << 40).checked_div(turns).unwrap_or_default();
        places.extend(
            (0..turns).map(|turn| (turn.wrapping_mul(2).wrapping_add(1).wrapping_mul(step), place)),
        );
    }
    places.sort_unstable();
    places.into_iter().map(|(_, place)| place).collect()
}

const fn common_divisor(a: u32, b: u32) -> u32 {
    let (mut a, mut b) = (a, b);
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

/// A table for hashes in which most places stay as they are when a destination comes or goes (Maglev,
/// Eisenbud et al. 2016). Each destination has a name that does not depend on the others, and a weight.
pub(super) fn table(destinations: &[(u64, u32)]) -> Vec<usize> {
    let heaviest = destinations.iter().map(|(_, weight)| *weight).max().unwrap_or_default();
    if heaviest == 0 {
        return Vec::new();
    }
    let wanted = u64::try_from(destinations.len()).unwrap_or(u64::MAX).saturating_mul(PLACES);
    let size = SIZES.into_iter().find(|size| u64::from(*size) >= wanted).unwrap_or(65_521);
    let mut seekers: Vec<_> =
        destinations.iter().map(|(name, weight)| Seeker::new(*name, *weight, size)).collect();
    let mut table = vec![None; usize::try_from(size).unwrap_or_default()];
    let mut free = size;
    while free > 0 {
        for (place, seeker) in seekers.iter_mut().enumerate() {
            seeker.credit = seeker.credit.saturating_add(seeker.weight.into());
            if free > 0 && seeker.credit >= u64::from(heaviest) {
                seeker.credit = seeker.credit.saturating_sub(heaviest.into());
                seeker.take(place, size, &mut table);
                free = free.saturating_sub(1);
            }
        }
    }
    table.into_iter().flatten().collect()
}

/// One that fills a table in its own order.
struct Seeker {
    next: u32,
    skip: u32,
    weight: u32,
    credit: u64,
}

impl Seeker {
    fn new(name: u64, weight: u32, size: u32) -> Self {
        let part = |number: u64, modulus: u32| {
            u32::try_from(number.checked_rem(modulus.into()).unwrap_or_default())
                .unwrap_or_default()
        };
        let skip = part(name >> 32, size.saturating_sub(1)).saturating_add(1);
        Self { next: part(name & 0xffff_ffff, size), skip, weight, credit: 0 }
    }

    /// Takes the next place of its order that is free; there is one.
    fn take(&mut self, own: usize, size: u32, table: &mut [Option<usize>]) {
        for _ in 0..size {
            let at = usize::try_from(self.next).unwrap_or_default();
            self.next = self.next.saturating_add(self.skip).checked_rem(size).unwrap_or_default();
            if let Some(place @ None) = table.get_mut(at) {
                *place = Some(own);
                return;
            }
        }
    }
}

/// A number for some bytes that is the same on every machine (FNV-1a, finished as `splitmix64` does).
pub(super) fn digest(parts: &[&[u8]]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().copied().flatten() {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(places: &[usize], of: usize) -> usize {
        places.iter().filter(|place| **place == of).count()
    }

    #[test]
    fn equal_weights_take_turns_and_others_are_spread_evenly() {
        assert_eq!(wheel(&[100, 100, 100]), [0, 1, 2]);
        assert_eq!(wheel(&[3, 1]), [0, 0, 1, 0]);
        assert_eq!(wheel(&[2, 0, 1]), [0, 2, 0]);
        assert_eq!(wheel(&[]), []);
        assert_eq!(wheel(&[0, 0]), []);
    }

    #[test]
    fn great_weights_are_rounded_and_nobody_is_left_out() {
        let wheel = wheel(&[65_535, 1, 32_768]);
        assert!(wheel.len() <= 1026, "{}", wheel.len());
        assert_eq!(share(&wheel, 1), 1);
        assert!((680..690).contains(&share(&wheel, 0)), "{}", share(&wheel, 0));
    }

    #[test]
    fn a_table_is_shared_by_weight_and_changes_little() {
        let name = |number: usize| digest(&[&number.to_be_bytes()]);
        let ten: Vec<_> = (0..10).map(|number| (name(number), 1)).collect();
        let before = table(&ten);
        assert_eq!(before.len(), 1021);
        for number in 0..10 {
            assert!((95..110).contains(&share(&before, number)), "{}", share(&before, number));
        }
        let mut nine = ten.clone();
        nine[9].1 = 0;
        let after = table(&nine);
        let moved = before.iter().zip(&after).filter(|(was, is)| **was != 9 && was != is).count();
        assert!(moved < 150, "{moved} of 1021 places moved");
        let heavy = table(&[(name(0), 3), (name(1), 1)]);
        assert!((185..192).contains(&share(&heavy, 0)), "{}", share(&heavy, 0));
        assert_eq!(table(&[(name(0), 0)]), []);
    }
}
