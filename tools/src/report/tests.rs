//! The page is whole, whatever is in the store, and nothing in it comes from elsewhere or runs.

use asofdb::world::sim::SimWorld;
use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Span, ValueType};

use super::*;

const NOW: i64 = 1_700_000_000_000_000;
const HOUR: i64 = 3_600_000_000;

fn store() -> Store {
    let sim = SimWorld::new(EventTime(NOW));
    let options = Options::new().world(sim.world()).identity(Some([7; 32])).max_ahead(None);
    Store::open("/store", options).unwrap()
}

/// Every tag that is opened is closed, in the right order, and there is nothing that runs or loads.
#[track_caller]
fn check(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for part in page.split('<').skip(1) {
        let tag = part.split('>').next().unwrap();
        let name = tag.split(|symbol: char| !symbol.is_ascii_alphanumeric()).next().unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{tag}");
        } else if !tag.ends_with('/')
            && !["meta", "!DOCTYPE"].contains(&tag.split(' ').next().unwrap())
        {
            open.push(name);
        }
        let known = ["html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "b"];
        let drawn = ["span", "svg", "rect", "line", "text", "table", "tr", "th", "td", "code", ""];
        assert!(known.contains(&name) || drawn.contains(&name), "{tag}");
        for outside in ["http", "src=", "href", "url(", "onload", "javascript"] {
            assert!(!tag.contains(outside), "{tag}");
        }
    }
    assert!(open.is_empty(), "{open:?}");
    for broken in ["NaN", "inf\"", "=\"-"] {
        assert!(!page.contains(broken), "{broken}: {page}");
    }
}

#[test]
fn the_page_of_an_empty_store_has_empty_axes() {
    let (page, unread) = page("empty", &store()).unwrap();
    assert_eq!(unread, None);
    check(&page);
    assert!(!page.contains("<svg"), "{page}");
    for told in
        ["Nothing is stored yet.", "No feature is defined yet.", "No value is still to expire."]
    {
        assert!(page.contains(told), "{told}");
    }
}

#[test]
fn a_name_out_of_the_store_becomes_markup() {
    let store = store();
    let hostile = [
        "v:<script>alert(1)</script>",
        "v:\"><img src=http://example.com/x onerror=alert(1)>",
        "v:</title></svg><b>&amp;'",
        "v:\u{202e}right to left\u{202c}",
        "v:漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
    ];
    let mut batch = Batch::new();
    for name in hostile {
        store.define(FeatureSpec::new(name, ValueType::I64).ttl(Span::from_hours(9))).unwrap();
        batch.source("<script>").put("<script>", name, EventTime(NOW - HOUR), 1i64);
    }
    store.write(batch, Durability::Buffered).unwrap();
    for in_tables in [false, true] {
        let (page, unread) = page("a <script> store", &store).unwrap();
        assert_eq!(unread, None);
        check(&page);
        assert!(page.contains("v:&lt;script&gt;alert(1)&lt;/script&gt;"), "it is shown as it is");
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        if !in_tables {
            store.compact().unwrap();
        }
    }
}

#[test]
fn the_ends_of_time_or_one_moment_break_a_plot() {
    for moments in [vec![i64::MIN, 0, i64::MAX], vec![NOW], vec![i64::MAX], vec![NOW, NOW + 1]] {
        let store = store();
        let features = [("v:short", 1), ("v:long", i64::MAX)].map(|(name, micros)| {
            let span = Span::from_micros(micros).unwrap();
            store.define(FeatureSpec::new(name, ValueType::I64).ttl(span).history(span)).unwrap()
        });
        for compacted in [false, true] {
            let mut batch = Batch::new();
            for moment in &moments {
                for of in &features {
                    batch.put_id("ant", of.id, EventTime(*moment), 1i64);
                }
            }
            store.write(batch, Durability::Buffered).unwrap();
            if compacted {
                store.compact().unwrap();
            }
            let (page, unread) = page("extreme", &store).unwrap();
            assert_eq!(unread, None);
            check(&page);
        }
    }
}

#[test]
fn records_are_lost_between_what_was_and_what_is_to_come() {
    let store = store();
    store.define(FeatureSpec::new("v:day", ValueType::I64).ttl(Span::from_hours(24))).unwrap();
    store.define(FeatureSpec::new("v:ever", ValueType::I64)).unwrap();
    let mut batch = Batch::new();
    for hour in 0..100 {
        batch.put("ant", "v:day", EventTime(NOW - hour * HOUR), hour);
        batch.put("ant", "v:ever", EventTime(NOW - hour * HOUR), hour);
    }
    store.write(batch, Durability::Buffered).unwrap();
    let view = View::of(&store).unwrap();
    let ttl = expiry::ttl(&view);
    assert_eq!((ttl.past + ttl.coming, ttl.never), (100, 100));
    assert!((22..=26).contains(&ttl.coming), "{}", ttl.coming);
    assert!(ttl.plot(view.now, "", "b").is_some());
    let horizon = expiry::horizon(&view);
    assert_eq!((horizon.past, horizon.coming, horizon.never), (0, 0, 200));
    assert!(horizon.plot(view.now, "", "b").is_none());
    let fresh = features::freshness(&view);
    assert!(fresh.iter().all(|of| of.age == 0), "the newest counts");
}

/// An axis was drawn over the boxes, and of five minutes every moment was told as the same one or without seconds.
#[test]
fn an_axis_lies_over_the_boxes_or_hides_seconds() {
    let store = store();
    let day = Span::from_hours(24);
    store.define(FeatureSpec::new("v:f", ValueType::I64).ttl(day).history(day)).unwrap();
    for seconds in [0, 150, 300] {
        let mut batch = Batch::new();
        batch.put("ant", "v:f", EventTime(NOW - seconds * 1_000_000), 1i64);
        store.write(batch, Durability::Buffered).unwrap();
        store.flush().unwrap();
    }
    let (page, _) = page("short", &store).unwrap();
    let mut plots = 0;
    for plot in page.split("<svg viewBox").skip(1) {
        let Some(last) = plot.rfind("class=\"axis\"") else { continue };
        let first = plot.find("<rect").unwrap();
        assert!(last < first, "an axis lies over a box: {plot}");
        plots += 1;
    }
    assert!(plots >= 3, "{plots} plots have an axis");
    // NOW is 22:13:20.
    for moment in ["22:08:20", "22:10:50", "22:13:20"] {
        assert!(page.contains(&format!(" {moment}</text>")), "{moment}: {page}");
    }
}
