//! What a scrape shows, and what it costs.

use crate::harness::Region;

#[tokio::test]
async fn machines_are_counted_by_state_and_not_at_every_scrape() {
    let region = Region::new().await;
    let scrape = || async {
        region.get("/metrics").send().await.expect("an answer").text().await.expect("a text")
    };
    region.machine("node-1", "52:54:00:77:00:01").await;
    let first = scrape().await;
    assert!(first.contains("ironherd_machines{state=\"NEW\"} 1\n"), "{first}");
    assert!(first.contains("ironherd_machines{state=\"READY\"} 0\n"), "{first}");
    region.machine("node-2", "52:54:00:77:00:02").await;
    let second = scrape().await;
    assert!(second.contains("ironherd_machines{state=\"NEW\"} 1\n"), "kept a moment: {second}");
}
