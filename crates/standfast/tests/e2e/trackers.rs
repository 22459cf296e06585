//! Trackers with real files: what is written moves the address.

use std::net::Ipv4Addr;

use standfast_kernel::clock;

use crate::common::{in_sandbox, instance, logged, pair, run, say, seconds, wait_for};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);
const FILE: &str = "track_file load {\n file /run/app/load\n init_file 0\n}\n";
const FOLLOW: &str = " track_file {\n load\n }";

#[test]
fn a_number_in_a_file_moves_the_address_and_nonsense_does_not() {
    let name = "trackers::a_number_in_a_file_moves_the_address_and_nonsense_does_not";
    in_sandbox(name, &["/bin/sh"], || {
        let mut stage = pair()?;
        run(&mut stage, "a", "mkdir /run/app")?;
        stage.start_standfast("a", &(FILE.to_owned() + &instance(200, ADDRESS, FOLLOW)))?;
        stage.start_standfast("b", &instance(100, ADDRESS, ""))?;
        let held_by = |stage: &mut standfast_lab::stage::Stage, change: &str, node: &str| {
            let from = clock::now();
            run(stage, "a", change)?;
            wait_for(stage, &format!("{node} holds it"), seconds(3), |stage| {
                Ok(stage.holders(ADDRESS)? == [node])
            })?;
            let after = clock::now().saturating_since(from).as_millis();
            say(format_args!("{change}: {node} after {after} ms"));
            anyhow::Ok(())
        };
        held_by(&mut stage, "true", "a")?;
        run(&mut stage, "a", "grep -x 0 /run/app/load")?;
        held_by(&mut stage, "echo -150 > /run/app/load", "b")?;
        held_by(&mut stage, "echo 0 > /run/app/new && mv /run/app/new /run/app/load", "a")?;
        held_by(&mut stage, "echo -254 > /run/app/load", "b")?;
        held_by(&mut stage, "rm -r /run/app", "a")?;
        held_by(&mut stage, "mkdir /run/app && echo -254 > /run/app/load", "b")?;
        held_by(&mut stage, "echo 1 > /run/app/load", "a")?;
        held_by(&mut stage, "echo much > /run/app/load", "a")?;
        logged(&mut stage, "a", "does not begin with a whole number; it stays 1", seconds(3))?;
        held_by(&mut stage, "true", "a")
    });
}
