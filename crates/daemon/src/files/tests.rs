use std::{fs, os::unix::fs::symlink};

use standfast_conf::InitFile;

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("standfast-files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("a folder");
        Self(folder)
    }

    fn file(&self, path: &str) -> TrackedFile {
        TrackedFile { name: "f".into(), path: self.0.join(path), init: None }
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.0.join(path), text).expect("writable");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn followed(file: &TrackedFile) -> Files {
    let mut files = Files::default();
    files.reconfigure(Instant::ZERO, std::slice::from_ref(file));
    files
}

/// The number after all that has happened; changes are reported by the kernel at once.
fn value(files: &mut Files) -> i64 {
    let findings = files.receive(Instant::ZERO);
    assert!(findings.iter().all(|finding| matches!(finding, Finding::Value(..))), "{findings:?}");
    *files.values().get("f").expect("followed")
}

fn complaint(files: &mut Files) -> String {
    match files.receive(Instant::ZERO).as_slice() {
        [Finding::Complaint(text)] => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_moved_and_deleted_counts_at_once() {
    let folder = Folder::new("plain");
    folder.write("n", "-20\n");
    let mut files = followed(&folder.file("n"));
    assert_eq!(value(&mut files), -20);
    folder.write("n", "  7 and more\n");
    assert_eq!(value(&mut files), 7);
    folder.write("other", "99");
    assert_eq!(value(&mut files), 7);
    folder.write("new", "+8");
    fs::rename(folder.0.join("new"), folder.0.join("n")).expect("replaced");
    assert_eq!(value(&mut files), 8);
    folder.write("n", "9");
    assert_eq!(value(&mut files), 9, "the one that took its place is watched as well");
    fs::remove_file(folder.0.join("n")).expect("removed");
    assert_eq!(value(&mut files), 0);
    folder.write("n", "5");
    assert_eq!(value(&mut files), 5);
}

#[test]
fn a_file_that_is_being_written_anew_does_not_count_as_0_meanwhile() {
    let folder = Folder::new("rewritten");
    folder.write("n", "50");
    let mut files = followed(&folder.file("n"));
    let mut writer = File::create(folder.0.join("n")).expect("cut to nothing");
    assert_eq!(value(&mut files), 50);
    writer.write_all(b"60").expect("written");
    assert_eq!(value(&mut files), 60, "although it is still open");
    drop(writer);
    drop(File::create(folder.0.join("n")).expect("cut to nothing"));
    assert_eq!(value(&mut files), 0, "left empty");
}

#[test]
fn directories_may_come_and_go() {
    let folder = Folder::new("folders");
    let mut files = followed(&folder.file("a/b/n"));
    assert_eq!(value(&mut files), 0);
    for number in [3, 4] {
        fs::create_dir_all(folder.0.join("a/b")).expect("made");
        folder.write("a/b/n", &number.to_string());
        assert_eq!(value(&mut files), number);
        fs::remove_dir_all(folder.0.join("a")).expect("removed");
        assert_eq!(value(&mut files), 0);
    }
    fs::create_dir_all(folder.0.join("c/b")).expect("made");
    folder.write("c/b/n", "6");
    fs::rename(folder.0.join("c"), folder.0.join("a")).expect("moved");
    assert_eq!(value(&mut files), 6);
}

#[test]
fn a_link_is_followed_wherever_it_leads() {
    let folder = Folder::new("links");
    for (place, number) in [("one", "1"), ("two", "2")] {
        fs::create_dir(folder.0.join(place)).expect("made");
        folder.write(&format!("{place}/n"), number);
    }
    symlink("one", folder.0.join("data")).expect("linked");
    symlink("data/n", folder.0.join("n")).expect("linked");
    let mut files = followed(&folder.file("n"));
    assert_eq!(value(&mut files), 1);
    folder.write("one/n", "11");
    assert_eq!(value(&mut files), 11);
    symlink("two", folder.0.join("next")).expect("linked");
    fs::rename(folder.0.join("next"), folder.0.join("data")).expect("replaced");
    assert_eq!(value(&mut files), 2);
}

#[test]
fn what_is_no_number_changes_nothing_and_is_said_once() {
    let folder = Folder::new("unfit");
    folder.write("n", "-7");
    let mut files = followed(&folder.file("n"));
    folder.write("n", "seven");
    let text = complaint(&mut files);
    assert!(text.ends_with("/n does not begin with a whole number; it stays -7"), "{text}");
    folder.write("n", "eight");
    assert_eq!(value(&mut files), -7, "said already");
    folder.write("n", &"1".repeat(5000));
    assert!(complaint(&mut files).contains("is larger than 4096 bytes"));
    folder.write("n", "3");
    assert_eq!(value(&mut files), 3);
    fs::remove_file(folder.0.join("n")).expect("removed");
    value(&mut files);
    fs::create_dir(folder.0.join("n")).expect("made");
    assert!(complaint(&mut files).contains("is no ordinary file; it stays 0"));
}

#[test]
fn a_file_gets_its_first_contents_unless_it_has_some() {
    let folder = Folder::new("init");
    let file = |overwrite| TrackedFile {
        init: Some(InitFile { value: 5, overwrite }),
        ..folder.file("n")
    };
    assert_eq!(value(&mut followed(&file(false))), 5);
    folder.write("n", "6");
    assert_eq!(value(&mut followed(&file(false))), 6);
    assert_eq!(value(&mut followed(&file(true))), 5);
    let mut files = followed(&file(true));
    folder.write("n", "8");
    files.reconfigure(Instant::ZERO, &[file(true)]);
    assert_eq!(value(&mut files), 8, "a reload is no start");
    fs::remove_file(folder.0.join("n")).expect("removed");
    symlink("/nowhere", folder.0.join("n")).expect("linked");
    let findings = Files::default().reconfigure(Instant::ZERO, &[file(true)]);
    assert!(matches!(findings.as_slice(), [Finding::Complaint(_)]), "{findings:?}");
}

#[test]
fn where_the_kernel_reports_nothing_it_is_read_every_second() {
    let file = TrackedFile { name: "f".into(), path: "/proc/self/loginuid".into(), init: None };
    let mut files = Files::default();
    let findings = files.reconfigure(Instant::ZERO, &[file]);
    let Some(Finding::Complaint(text)) = findings.first() else { panic!("{findings:?}") };
    assert!(text.ends_with("reports no changes; it is read every second"), "{text}");
    assert_eq!(files.next_deadline(), Some(Instant::ZERO + POLL));
    files.receive(Instant::ZERO + POLL);
    assert_eq!(files.next_deadline(), Some(Instant::ZERO + POLL + POLL));
}
