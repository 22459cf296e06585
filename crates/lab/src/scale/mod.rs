//! What thousands of instances and addresses cost, and how punctual they are under load, side by side with
//! Debian's keepalived in one run.

mod bed;
mod capture;
pub(crate) mod checks;
mod crowd;
mod cut;
mod table;
mod takeover;

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use crate::bench::{name, programs, say};
use bed::Crowd;
pub(crate) use bed::{burn, scribble};
use crowd::Work;
use table::{Bound, Table};

/// A bench under way.
struct Scale<'a> {
    program: &'a Path,
    /// How long what may go wrong at any time is watched.
    window: Duration,
    table: Table,
}

/// Runs every work whose name contains `only`, and prints the table. 1 when one of our bounds broke.
pub(crate) fn run(program: &Path, minutes: u64, only: &str) -> anyhow::Result<u8> {
    let window = Duration::from_secs(60 * minutes);
    let mut scale = Scale { program, window, table: Table::default() };
    let crowds = crowds(window);
    for who in programs() {
        let daemon = name(*who);
        let wanted = |work: &str| {
            let wanted = work.contains(only);
            if wanted {
                say(&format!("{daemon}: {work}"));
            }
            wanted
        };
        // One that fails shall not cost the others' figures.
        let note = |result: anyhow::Result<()>| {
            if let Err(error) = result {
                say(&format!("{daemon}: FAILED: {error:#}"));
            }
        };
        for work in &crowds {
            if wanted(&work.name) {
                note(scale.crowd(work, *who));
            }
        }
        if wanted("take-over") {
            note(scale.take_over(*who));
        }
        if wanted("punctual") {
            note(scale.punctual(*who));
        }
        if wanted("process dies") {
            note(scale.process_dies(*who));
        }
        if wanted("silent neighbour") {
            note(scale.neighbour_falls_silent(*who));
        }
    }
    let _ = io::stdout().write_all(scale.table.to_string().as_bytes());
    Ok(u8::from(scale.table.is_broken()))
}

fn crowds(window: Duration) -> Vec<Work> {
    let thousand = Crowd { instances: 1000, first: 0, interfaces: 4, advert: "0.1" };
    let four = Crowd { instances: 4094, first: 0, interfaces: 17, advert: "1" };
    let quick = |name: &str, loaded| Work {
        name: format!("1,000 instances at 100 ms, {name}"),
        crowd: thousand,
        loaded,
        window,
        cpu: Bound::Percent(50),
        // Three adverts, and a start that reads a file and opens sockets.
        wait: Duration::from_secs(3),
    };
    vec![
        quick("quiet", false),
        quick("processors loaded", true),
        Work {
            name: "4,094 instances at 1 s".to_owned(),
            crowd: four,
            loaded: false,
            window: Duration::from_secs(30),
            cpu: Bound::Most(1000),
            wait: Duration::from_secs(10),
        },
    ]
}
