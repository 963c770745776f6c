use std::convert::Infallible;
use std::time::Duration;

use ironherd_snapshot::ask::{RackQuestion, RackRefusal, RefusalCode};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::backoff::Backoff;
use crate::document::Payload;
use crate::transport::{LinkError, Region};
use crate::websocket::Subscription;
use crate::{LinkConfig, RACK_ANSWER, RACK_REQUESTS};

/// One question of the region, for the rack to answer in time.
#[derive(Debug)]
pub struct Request {
    pub question: RackQuestion,
    pub reply: oneshot::Sender<Result<Reply, RackRefusal>>,
}

/// What the rack answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// JSON, in the shape that the question asks for.
    pub text: String,
    /// Goes up beside it, over HTTP: too long for GraphQL.
    pub file: Option<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestsData {
    rack_requests: Vec<RackRequest>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackRequest {
    id: String,
    question: String,
    within_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerData {
    rack_answer: Payload,
}

/// Questions that are worked on at once. More are refused, and the region told so.
const AT_ONCE: usize = 8;
/// A region whose time is odd shall not make us wait for ever.
const WITHIN_MAX: Duration = Duration::from_mins(1);

/// Listens for questions and answers them; for ever.
pub(crate) async fn run(config: &LinkConfig, region: &Region, requests: mpsc::Sender<Request>) {
    let mut backoff = Backoff::new(config.retry_first, config.retry_max);
    loop {
        // The session says in the log when the region is out of reach: once is enough.
        let Err(error) = listen(config, region, &requests, &mut backoff).await;
        tracing::debug!(id = "link.requests", %error, "no questions are heard");
        backoff.wait().await;
    }
}

async fn listen(
    config: &LinkConfig,
    region: &Region,
    requests: &mpsc::Sender<Request>,
    backoff: &mut Backoff,
) -> Result<Infallible, LinkError> {
    let variables = json!({ "rackName": config.name });
    let mut heard = Subscription::open(region, RACK_REQUESTS, variables).await?;
    let mut running = JoinSet::new(); // Whatever runs is given up with the connection.
    loop {
        // `next` must not be dropped half-way: the same call waits while others end.
        let mut next = std::pin::pin!(heard.next::<RequestsData>());
        let data = loop {
            tokio::select! {
                data = &mut next => break data?,
                Some(_) = running.join_next() => {}
            }
        };
        backoff.reset();
        for request in data.rack_requests {
            let (region, requests) = (region.clone(), requests.clone());
            let is_full = AT_ONCE <= running.len();
            running.spawn(async move {
                let outcome = match is_full {
                    true => Err(busy("the rack works on too many questions already")),
                    false => ask(&request, &requests).await,
                };
                if let Err(error) = tell(&region, &request.id, outcome).await {
                    tracing::warn!(id = "link.answer", %error, "an answer was not delivered");
                }
            });
        }
    }
}

/// Has the rack answer one question.
async fn ask(
    request: &RackRequest,
    requests: &mpsc::Sender<Request>,
) -> Result<Reply, RackRefusal> {
    let question = serde_json::from_str(&request.question).map_err(|error| RackRefusal {
        code: RefusalCode::Unsupported,
        message: format!("the question is not known here: {error}"),
    })?;
    let within = Duration::from_millis(request.within_ms).min(WITHIN_MAX);
    let (reply, replied) = oneshot::channel();
    let asked = async {
        requests.send(Request { question, reply }).await.ok()?;
        replied.await.ok()
    };
    match timeout(within, asked).await {
        Ok(Some(answer)) => answer,
        Ok(None) => Err(busy("the rack is stopping")),
        Err(_) => Err(busy("the rack did not find the answer in time")),
    }
}

/// Sends the answer up: first the file, so that it is there when the answer is read.
async fn tell(
    region: &Region,
    id: &str,
    outcome: Result<Reply, RackRefusal>,
) -> Result<(), LinkError> {
    let input = match outcome {
        Ok(Reply { text, file }) => {
            if let Some(file) = file {
                region.put(&format!("/captures/{id}"), file).await?;
            }
            json!({ "id": id, "answer": text })
        }
        Err(refusal) => {
            let text = serde_json::to_string(&refusal);
            json!({ "id": id, "refusal": text.unwrap_or_default() })
        }
    };
    let data: AnswerData = region.execute(RACK_ANSWER, json!({ "input": input })).await?;
    match data.rack_answer.user_errors.first() {
        None => Ok(()),
        Some(error) => Err(LinkError::Refused(format!("{}: {}", error.code, error.message))),
    }
}

fn busy(message: &str) -> RackRefusal {
    RackRefusal { code: RefusalCode::Busy, message: message.to_owned() }
}
