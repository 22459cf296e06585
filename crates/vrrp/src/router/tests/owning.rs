//! Owners that meet another owner.

use super::*;

fn owner() -> Bench {
    let mut bench = Bench::init(Config { priority: Priority::OWNER, ..config(Version::V2) });
    bench.input(Input::Start);
    bench
}

fn advertised(outputs: &[Output]) -> Vec<u8> {
    let priority = |output: &Output| match output {
        Output::Advertise { priority } => Some(*priority),
        Output::Hold | Output::LetGo | Output::Announce { .. } | Output::Event(_) => None,
    };
    outputs.iter().filter_map(priority).collect()
}

#[test]
fn of_two_owners_the_lower_address_gives_way() {
    let mut bench = owner();
    bench.advert(HIGHER, 255);
    assert_eq!(bench.state(), StateName::Backup);
}

#[test]
fn an_owner_whose_rival_does_not_give_way_advertises_254_until_it_is_gone() {
    let mut bench = owner();
    let mut said = Vec::new();
    for _ in 0..6 {
        let mut outputs = bench.wait(SECOND);
        outputs.extend(bench.advert(LOWER, 255));
        assert_eq!(bench.state(), StateName::Master);
        said.push(advertised(&outputs).last().copied());
    }
    assert_eq!(said, [255, 255, 255, 255, 254, 254].map(Some), "it had its time to give way");
    bench.wait(4 * SECOND);
    assert_eq!(advertised(&bench.wait(SECOND)), [255]);
}

#[test]
fn an_owner_that_ignores_adverts_heeds_no_other() {
    let config =
        Config { priority: Priority::OWNER, owner_ignore_adverts: true, ..config(Version::V2) };
    let mut bench = Bench::init(config.clone());
    bench.input(Input::Start);
    assert_eq!(bench.advert(HIGHER, 255), []);
    assert_eq!(bench.state(), StateName::Master);
    // One whose address is not its own heeds them all the same.
    let mut bench = Bench::master(Config { priority: priority(100), ..config });
    bench.advert(HIGHER, 200);
    assert_eq!(bench.state(), StateName::Backup);
}
