//! What may become of names, over all subsets of what was not durable.

use super::*;

fn file(tag: u8) -> Node {
    Node::File(Arc::new(Mutex::new(Content::durable(Arc::new(vec![tag])))))
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(name)
}

fn give(names: &mut Names, name: &str, tag: u8) {
    names.change(None, Some((path(name), file(tag))));
}

fn take(names: &mut Names, name: &str) {
    names.change(Some(path(name)), None);
}

fn rename(names: &mut Names, from: &str, to: &str) {
    let node = names.get(Path::new(from)).unwrap().clone();
    names.change(Some(path(from)), Some((path(to), node)));
}

/// One line for every different outcome: names with the tags of their files.
fn outcomes(names: &Names) -> Vec<String> {
    let pending = u32::try_from(names.pending.len()).unwrap();
    let outcomes: BTreeSet<String> = (0..1_u64 << pending)
        .map(|subset| {
            let mut at = 0;
            let after = names.after_power_cut(|| {
                at += 1;
                subset >> (at - 1) & 1 == 1
            });
            let shown = after.iter().map(|(path, node)| match node {
                Node::Dir => format!("{}/", path.display()),
                Node::File(file) => format!("{}={}", path.display(), file.lock().bytes()[0]),
            });
            shown.collect::<Vec<_>>().join(" ")
        })
        .collect();
    outcomes.into_iter().collect()
}

#[test]
fn names_that_were_not_synced_survive_in_any_combination() {
    let mut names = Names::default();
    give(&mut names, "/a", 1);
    give(&mut names, "/b", 2);
    assert_eq!(outcomes(&names), ["", "/a=1", "/a=1 /b=2", "/b=2"]);
    names.sync(Path::new("/"));
    assert_eq!(outcomes(&names), ["/a=1 /b=2"]);
    take(&mut names, "/a");
    give(&mut names, "/c", 3);
    let all = ["/a=1 /b=2", "/a=1 /b=2 /c=3", "/b=2", "/b=2 /c=3"];
    assert_eq!(outcomes(&names), all, "a removal may overtake the creation before it");
}

#[test]
fn a_rename_is_never_seen_half_done() {
    let mut names = Names::default();
    give(&mut names, "/current", 1);
    give(&mut names, "/next", 2);
    names.sync(Path::new("/"));
    rename(&mut names, "/next", "/current");
    assert_eq!(outcomes(&names), ["/current=1 /next=2", "/current=2"]);
}

#[test]
fn a_rename_across_directories_is_settled_by_a_sync_of_either() {
    for synced in ["/d", "/e"] {
        let mut names = Names::default();
        names.change(None, Some((path("/d"), Node::Dir)));
        names.change(None, Some((path("/e"), Node::Dir)));
        give(&mut names, "/d/a", 1);
        names.sync(Path::new("/"));
        names.sync(Path::new("/d"));
        rename(&mut names, "/d/a", "/e/b");
        assert_eq!(outcomes(&names), ["/d/ /d/a=1 /e/", "/d/ /e/ /e/b=1"]);
        names.sync(Path::new(synced));
        assert_eq!(outcomes(&names), ["/d/ /e/ /e/b=1"]);
    }
}

#[test]
fn a_file_has_one_name_whatever_survives() {
    let mut names = Names::default();
    give(&mut names, "/a", 1);
    names.sync(Path::new("/"));
    rename(&mut names, "/a", "/b");
    rename(&mut names, "/b", "/c");
    assert_eq!(outcomes(&names), ["/a=1", "/b=1", "/c=1"]);
    take(&mut names, "/c");
    assert_eq!(outcomes(&names), ["", "/a=1", "/b=1", "/c=1"]);
}

#[test]
fn a_name_is_lost_with_the_directory_it_is_in() {
    let mut names = Names::default();
    names.change(None, Some((path("/d"), Node::Dir)));
    give(&mut names, "/d/a", 1);
    names.sync(Path::new("/d"));
    assert_eq!(outcomes(&names), ["", "/d/ /d/a=1"]);
    names.sync(Path::new("/"));
    assert_eq!(outcomes(&names), ["/d/ /d/a=1"]);
}

#[test]
fn names_that_a_failed_sync_was_to_keep_stay_in_doubt() {
    let mut names = Names::default();
    give(&mut names, "/a", 1);
    names.fail_sync(Path::new("/"));
    give(&mut names, "/b", 2);
    names.sync(Path::new("/"));
    assert_eq!(outcomes(&names), ["/a=1 /b=2", "/b=2"]);
    assert!(!names.is_durable(Path::new("/")));
    // The same name written anew and synced leaves no doubt, and does not come back as it was.
    take(&mut names, "/a");
    names.sync(Path::new("/"));
    assert_eq!(outcomes(&names), ["/b=2"]);
}

#[test]
fn what_a_test_puts_in_place_is_not_undone() {
    let mut names = Names::default();
    give(&mut names, "/a", 1);
    names.change(None, Some((path("/d"), Node::Dir)));
    names.place(Path::new("/d/x"), file(7));
    names.place(Path::new("/a"), file(8));
    assert_eq!(outcomes(&names), ["/a=8 /d/ /d/x=7"]);
    names.displace(Path::new("/a"));
    assert_eq!(outcomes(&names), ["/d/ /d/x=7"]);
}

#[test]
fn a_copy_shares_no_file_and_keeps_what_is_in_doubt() {
    let mut names = Names::default();
    give(&mut names, "/a", 1);
    names.sync(Path::new("/"));
    rename(&mut names, "/a", "/b");
    let copy = names.copy();
    assert_eq!(outcomes(&copy), outcomes(&names));
    let Some(Node::File(file)) = copy.get(Path::new("/b")) else { panic!("no file") };
    file.lock().append(b"x");
    let (Node::File(now), Node::File(durable)) =
        (&copy.now[&path("/b")], &copy.durable[&path("/a")])
    else {
        panic!("no files")
    };
    assert!(Arc::ptr_eq(now, durable), "one file of two names stays one");
    let Some(Node::File(original)) = names.get(Path::new("/b")) else { panic!("no file") };
    assert_eq!(original.lock().bytes().len(), 1);
}

#[test]
fn a_path_is_the_same_however_it_is_written() {
    for (written, meant) in [("a/b", "/a/b"), ("/a/./b/", "/a/b"), ("/x/../a/b", "/a/b"), ("", "/")]
    {
        assert_eq!(plain(Path::new(written)), PathBuf::from(meant));
    }
}
