use std::time::Duration;

use reqwest::{Client, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::document::DecodeError;
use crate::{LinkConfig, Secret};

/// Why one exchange with the region failed. All but `Url` and `Client` are tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    #[error("`{0}` is no address of a region; write http://host:5240")]
    Url(String),
    #[error("no HTTP client could be made: {0}")]
    Client(reqwest::Error),
    #[error("the region could not be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    #[error("the region does not know this rack's token (HTTP {0})")]
    Unauthenticated(StatusCode),
    #[error("the region answered HTTP {0}")]
    Status(StatusCode),
    #[error("the region refused: {0}")]
    Refused(String),
    #[error("the region's answer could not be read: {0}")]
    Answer(String),
    #[error("the region sent what cannot be: {0}")]
    Decode(#[from] DecodeError),
    #[error("the subscription broke: {0}")]
    Subscription(String),
    #[error("the region was silent for too long")]
    Silent,
}

/// The region as a rack sees it.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    client: Client,
    base: Url,
    token: Secret,
}

#[derive(Serialize)]
pub(crate) struct Request<'a, V> {
    pub(crate) query: &'a str,
    pub(crate) variables: V,
}

#[derive(Deserialize)]
pub(crate) struct Response<D> {
    pub(crate) data: Option<D>,
    #[serde(default)]
    pub(crate) errors: Vec<GraphqlError>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct GraphqlError {
    pub(crate) message: String,
}

const CONNECT: Duration = Duration::from_secs(5);
/// Silence in the middle of an answer, not the length of a download.
const READ: Duration = Duration::from_secs(30);
/// A snapshot of a hundred thousand machines stays far below this.
const ANSWER_BYTES_MAX: usize = 256 << 20;

impl Region {
    pub(crate) fn new(config: &LinkConfig) -> Result<Self, LinkError> {
        let refused = || LinkError::Url(config.region_url.clone());
        let base = Url::parse(&config.region_url).map_err(|_| refused())?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(refused());
        }
        // Fails only if the process has chosen one already, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .redirect(redirect::Policy::none()) // The token goes to nobody else.
            .no_proxy()
            .http1_only() // The subscription is an upgrade, which HTTP/2 does differently.
            .build()
            .map_err(LinkError::Client)?;
        Ok(Self { client, base, token: config.token.clone() })
    }

    pub(crate) fn token(&self) -> &Secret {
        &self.token
    }

    /// A GET of `path`, which is absolute, with the rack's token.
    pub(crate) fn get(&self, path: &str) -> Result<reqwest::RequestBuilder, LinkError> {
        let url = self.base.join(path).map_err(|_| LinkError::Url(path.to_owned()))?;
        Ok(self.client.get(url).bearer_auth(self.token.reveal()))
    }

    /// Sends a file up to `path`, which is absolute.
    pub(crate) async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LinkError> {
        let url = self.base.join(path).map_err(|_| LinkError::Url(path.to_owned()))?;
        let request = self.client.put(url).bearer_auth(self.token.reveal()).body(bytes);
        match request.send().await?.status() {
            status if status.is_success() => Ok(()),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Err(LinkError::Unauthenticated(status))
            }
            status => Err(LinkError::Status(status)),
        }
    }

    /// Runs one query or mutation.
    pub(crate) async fn execute<D: DeserializeOwned>(
        &self,
        query: &str,
        variables: impl Serialize + Send,
    ) -> Result<D, LinkError> {
        let url = self.base.join("/graphql").map_err(|_| LinkError::Url("/graphql".to_owned()))?;
        let request = self.client.post(url).bearer_auth(self.token.reveal());
        let response = request.json(&Request { query, variables }).send().await?;
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(LinkError::Unauthenticated(status));
        }
        let bytes = bounded_body(response).await?;
        let Ok(response) = serde_json::from_slice::<Response<D>>(&bytes) else {
            let undecodable = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_err();
            return Err(match undecodable && !status.is_success() {
                true => LinkError::Status(status),
                false => LinkError::Answer("it lacks what the document asks for".to_owned()),
            });
        };
        response.into_data()
    }
}

impl<D> Response<D> {
    pub(crate) fn into_data(self) -> Result<D, LinkError> {
        match (self.data, self.errors.first()) {
            (_, Some(error)) => Err(LinkError::Refused(error.message.clone())),
            (Some(data), None) => Ok(data),
            (None, None) => Err(LinkError::Answer("it has neither data nor errors".to_owned())),
        }
    }
}

async fn bounded_body(mut response: reqwest::Response) -> Result<Vec<u8>, LinkError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if ANSWER_BYTES_MAX < bytes.len() + chunk.len() {
            return Err(LinkError::Answer("it is too long".to_owned()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
