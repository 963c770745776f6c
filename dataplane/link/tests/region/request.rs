//! Questions of the region, over cuts and in bounds.

use ironherd_link::{Reply, Request};
use ironherd_snapshot::ask::{CaptureQuestion, RackQuestion, RackRefusal, RefusalCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::world::{Script, World};

fn question(id: &str, within_ms: u64) -> Value {
    let question = RackQuestion::DhcpCapture(CaptureQuestion::default());
    let question = serde_json::to_string(&question).unwrap();
    json!({ "id": id, "question": question, "withinMs": within_ms })
}

fn refusal(answer: &Value) -> RackRefusal {
    serde_json::from_str(answer["refusal"].as_str().expect("a refusal")).unwrap()
}

#[tokio::test]
async fn a_question_is_answered_and_its_file_goes_up_before() {
    let requests = vec![vec![question("first", 10_000)], vec![question("second", 10_000)]];
    // The first subscription is cut after its question: only the second's is sure to be answered.
    let mut world = World::start(Script { requests, ..Script::default() }).await;
    let mut asked = std::mem::replace(&mut world.requests, mpsc::channel(1).1);
    tokio::spawn(async move {
        while let Some(Request { question, reply }) = asked.recv().await {
            assert!(matches!(question, RackQuestion::DhcpCapture(_)));
            let said = Reply { text: "{\"packets\":2}".to_owned(), file: Some(b"pcap".to_vec()) };
            let _ = reply.send(Ok(said)); // Whoever asked may be gone with its connection.
        }
    });
    let is_second = |it: &Value| it["id"] == "second";
    let answer = world.until_answered(is_second).await;
    assert_eq!(answer["answer"], "{\"packets\":2}");
    assert!(world.log().files.contains(&("second".to_owned(), b"pcap".to_vec())));
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_by_name() {
    let unknown = json!({ "id": "new", "question": "{\"kind\":\"tea\"}", "withinMs": 1000 });
    let requests = vec![vec![unknown, question("slow", 20)]];
    let mut world = World::start(Script { requests, ..Script::default() }).await;
    let slow = world.requests.recv().await.unwrap(); // Held, and not answered.
    let new = world.until_answered(|it| it["id"] == "new").await;
    assert_eq!(refusal(&new).code, RefusalCode::Unsupported);
    let late = world.until_answered(|it| it["id"] == "slow").await;
    assert_eq!(refusal(&late).code, RefusalCode::Busy);
    assert!(slow.reply.is_closed(), "nobody waits for it any more");
}

#[tokio::test]
async fn a_flood_of_questions_is_bounded() {
    let many = (0..12).map(|at| question(&format!("q{at}"), 10_000)).collect();
    let mut world = World::start(Script { requests: vec![many], ..Script::default() }).await;
    // Eight at once are worked on; the others are refused though nobody answered any.
    let refused = world.until_answered(|it| it["refusal"].is_string()).await;
    assert_eq!(refusal(&refused).code, RefusalCode::Busy);
    let first = world.requests.recv().await.unwrap();
    first.reply.send(Ok(Reply::default())).unwrap();
    world.until_answered(|it| it["answer"] == "").await;
}
