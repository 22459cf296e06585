use super::*;

/// A packet of FRR's bfdd that wants to be Up: 300 ms x 3, echo 50 ms.
const FOREIGN: [u8; LENGTH] = [
    0x20, 0xc8, 0x03, 0x18, 0x1b, 0x5a, 0x21, 0x07, 0x12, 0x34, 0x56, 0x78, 0x00, 0x04, 0x93, 0xe0,
    0x00, 0x04, 0x93, 0xe0, 0x00, 0x00, 0xc3, 0x50,
];

fn plain() -> Repr {
    Repr {
        state: State::Up,
        diagnostic: Diagnostic::NONE,
        poll: false,
        is_final: false,
        control_plane_independent: true,
        demand: false,
        detect_mult: NonZeroU8::new(3).expect("not zero"),
        my_discriminator: NonZeroU32::new(0x1b5a_2107).expect("not zero"),
        your_discriminator: NonZeroU32::new(0x1234_5678),
        desired_min_tx: 300_000,
        required_min_rx: 300_000,
        required_min_echo_rx: 50_000,
    }
}

fn changed(change: impl FnOnce(&mut [u8; LENGTH])) -> Result<Repr, Malformed> {
    let mut bytes = FOREIGN;
    change(&mut bytes);
    Repr::parse(&bytes)
}

#[test]
fn the_bytes_of_another_implementation_are_understood_and_made_again() {
    assert_eq!(Repr::parse(&FOREIGN), Ok(plain()));
    assert_eq!(plain().emit(), FOREIGN);
}

#[test]
fn every_state_flag_and_diagnostic_survives_the_round_trip() {
    for state in [State::AdminDown, State::Down, State::Init, State::Up] {
        for code in 0..32 {
            for flags in 0..16_u8 {
                let repr = Repr {
                    state,
                    diagnostic: Diagnostic::new(code),
                    poll: flags & 1 != 0,
                    is_final: flags & 2 != 0,
                    control_plane_independent: flags & 4 != 0,
                    demand: flags & 8 != 0,
                    ..plain()
                };
                assert_eq!(Repr::parse(&repr.emit()), Ok(repr));
            }
        }
    }
}

#[test]
fn every_truncation_is_refused_and_padding_is_ignored() {
    for length in 0..LENGTH {
        assert_eq!(Repr::parse(&FOREIGN[..length]), Err(Malformed::Truncated));
    }
    let mut padded = FOREIGN.to_vec();
    padded.extend([0xff; 22]);
    assert_eq!(Repr::parse(&padded), Ok(plain()));
}

#[test]
fn each_check_of_the_rfc_has_its_own_reason() {
    assert_eq!(changed(|bytes| bytes[0] = 0x40), Err(Malformed::Version));
    assert_eq!(changed(|bytes| bytes[3] = 23), Err(Malformed::Length));
    assert_eq!(changed(|bytes| bytes[3] = 25), Err(Malformed::Truncated));
    assert_eq!(changed(|bytes| bytes[2] = 0), Err(Malformed::DetectMult));
    assert_eq!(changed(|bytes| bytes[1] |= MULTIPOINT), Err(Malformed::Multipoint));
    assert_eq!(changed(|bytes| bytes[4..8].fill(0)), Err(Malformed::MyDiscriminator));
    assert_eq!(changed(|bytes| bytes[8..12].fill(0)), Err(Malformed::YourDiscriminator));
    // An authentication section that is announced must be there.
    assert_eq!(changed(|bytes| bytes[1] |= AUTHENTICATION), Err(Malformed::Length));
    let mut authenticated = FOREIGN.to_vec();
    authenticated[1] |= AUTHENTICATION;
    authenticated[3] = 26;
    authenticated.extend([1, 2]);
    assert_eq!(Repr::parse(&authenticated), Err(Malformed::Authenticated));
}

#[test]
fn a_session_that_is_down_need_not_know_the_other_number() {
    let down = changed(|bytes| {
        bytes[1] = 0x40;
        bytes[8..12].fill(0);
    });
    let down = down.expect("it is well formed");
    assert_eq!((down.state, down.your_discriminator), (State::Down, None));
}

#[test]
fn no_flipped_bit_makes_two_packets_alike() {
    for bit in 0..LENGTH * 8 {
        let mut bytes = FOREIGN;
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(repr) = Repr::parse(&bytes) {
            assert_ne!(repr, plain(), "bit {bit}");
            assert_eq!(repr.emit(), bytes, "bit {bit}");
        }
    }
}
