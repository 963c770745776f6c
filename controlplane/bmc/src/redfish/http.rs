//! nv-redfish's HTTP client trait over our one reqwest. Uploads and event streams are not used.

use std::future::Future;
use std::time::{Duration, Instant};

use nv_redfish::core::{
    BoxTryStream, HttpPushUriUpdateRequest, ModificationResponse, MultipartUpdateRequest,
    ODataETag, ODataId, Repair, SessionCreateResponse, UploadReader,
};
use nv_redfish_bmc_http::{BmcCredentials, HttpClient, decode_modification, decode_poll};
use reqwest::header::{ETAG, HeaderMap, IF_MATCH, LOCATION};
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::HttpError;

/// A system with everything expanded stays far below this.
const BODY_BYTES_MAX: usize = 4 << 20;

/// reqwest in the shape that nv-redfish asks for.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: reqwest::Client,
}

/// A whole answer.
struct Answer {
    url: Url,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Http {
    pub(super) fn new(client: reqwest::Client) -> Self {
        Self { client }
    }

    /// Sends a request and reads the answer, whatever its status.
    async fn send(
        request: RequestBuilder,
        credentials: &BmcCredentials,
        headers: &HeaderMap,
    ) -> Result<Answer, HttpError> {
        let started = Instant::now();
        let after = || -> Duration { started.elapsed() };
        let failed = |error: reqwest::Error| HttpError::from_transport(&error, after());
        let request = match credentials {
            BmcCredentials::UsernamePassword { username, password } => {
                request.basic_auth(username, password.as_ref())
            }
            BmcCredentials::Token { token } => request.header("X-Auth-Token", token),
            BmcCredentials::Anonymous => request,
        };
        let mut response = request.headers(headers.clone()).send().await.map_err(failed)?;
        let (url, status) = (response.url().clone(), response.status());
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if BODY_BYTES_MAX < body.len() + chunk.len() {
                return Err(HttpError::Answer("its answer has no end".to_owned()));
            }
            body.extend(&chunk);
        }
        Ok(Answer { url, status, headers, body })
    }

    async fn modify<T: DeserializeOwned>(
        request: RequestBuilder,
        credentials: &BmcCredentials,
        headers: &HeaderMap,
    ) -> Result<ModificationResponse<T>, HttpError> {
        let it = Self::send(request, credentials, headers).await?;
        Ok(decode_modification(&it.url, it.status, &it.headers, &it.body)?)
    }
}

impl Answer {
    /// The document, repaired, with the ETag of the header, which counts before that inside.
    fn document<T: DeserializeOwned>(&self, repair: &impl Repair) -> Result<T, HttpError> {
        if !self.status.is_success() {
            return Err(HttpError::status(self.status, &self.body));
        }
        let document = serde_json::from_slice(&self.body);
        let mut document: Value =
            document.map_err(|error| HttpError::Answer(format!("not JSON: {error}")))?;
        repair.repair(&mut document);
        if let (Some(fields), Some(etag)) = (document.as_object_mut(), self.header(ETAG)) {
            fields.insert("@odata.etag".to_owned(), Value::from(etag));
        }
        serde_path_to_error::deserialize(document).map_err(HttpError::Decode)
    }

    fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn session<T: DeserializeOwned>(&self) -> Result<SessionCreateResponse<T>, HttpError> {
        let entity = self.document(&nv_redfish::core::NoRepair)?;
        let missing = |what: &str| HttpError::Answer(format!("a session without {what}"));
        let token = self.header("X-Auth-Token").ok_or_else(|| missing("X-Auth-Token"))?;
        let location = self.header(LOCATION).ok_or_else(|| missing("Location"))?;
        // It may be a whole URL. Only its path is used, and only with our own address.
        let location = self.url.join(location).map_err(|_| missing("a sound Location"))?;
        Ok(SessionCreateResponse {
            entity,
            auth_token: token.to_owned(),
            location: ODataId::from(location.path().to_owned()),
        })
    }
}

impl HttpClient for Http {
    type Error = HttpError;

    async fn get<T: DeserializeOwned + Send + Sync>(
        &self,
        url: Url,
        credentials: &BmcCredentials,
        _etag: Option<ODataETag>, // Only a cache would ask with it, and it is off.
        custom_headers: &HeaderMap,
        repair: &impl Repair,
    ) -> Result<T, HttpError> {
        Self::send(self.client.get(url), credentials, custom_headers).await?.document(repair)
    }

    async fn poll<T: DeserializeOwned + Send + Sync>(
        &self,
        url: Url,
        credentials: &BmcCredentials,
        custom_headers: &HeaderMap,
    ) -> Result<ModificationResponse<T>, HttpError> {
        let it = Self::send(self.client.get(url), credentials, custom_headers).await?;
        Ok(decode_poll(&it.url, it.status, &it.headers, &it.body)?)
    }

    async fn post<B: Serialize + Send + Sync, T: DeserializeOwned + Send + Sync>(
        &self,
        url: Url,
        body: &B,
        credentials: &BmcCredentials,
        custom_headers: &HeaderMap,
    ) -> Result<ModificationResponse<T>, HttpError> {
        Self::modify(self.client.post(url).json(body), credentials, custom_headers).await
    }

    async fn post_session<B: Serialize + Send + Sync, T: DeserializeOwned + Send + Sync>(
        &self,
        url: Url,
        body: &B,
        custom_headers: &HeaderMap,
    ) -> Result<SessionCreateResponse<T>, HttpError> {
        let request = self.client.post(url).json(body);
        Self::send(request, &BmcCredentials::Anonymous, custom_headers).await?.session()
    }

    async fn patch<B: Serialize + Send + Sync, T: DeserializeOwned + Send + Sync>(
        &self,
        url: Url,
        etag: ODataETag,
        body: &B,
        credentials: &BmcCredentials,
        custom_headers: &HeaderMap,
    ) -> Result<ModificationResponse<T>, HttpError> {
        let request = self.client.patch(url).header(IF_MATCH, etag.to_string()).json(body);
        Self::modify(request, credentials, custom_headers).await
    }

    async fn delete<T: DeserializeOwned + Send + Sync>(
        &self,
        url: Url,
        credentials: &BmcCredentials,
        custom_headers: &HeaderMap,
    ) -> Result<ModificationResponse<T>, HttpError> {
        Self::modify(self.client.delete(url), credentials, custom_headers).await
    }

    async fn post_multipart_update<U, V, T>(
        &self,
        _url: Url,
        _request: MultipartUpdateRequest<'_, U, V>,
        _credentials: &BmcCredentials,
        _custom_headers: &HeaderMap,
    ) -> Result<ModificationResponse<T>, HttpError>
    where
        U: UploadReader,
        T: DeserializeOwned + Send + Sync,
        V: Serialize + Send + Sync,
    {
        Err(HttpError::NotOffered("a firmware upload"))
    }

    async fn post_http_push_uri_update<U, T>(
        &self,
        _url: Url,
        _request: HttpPushUriUpdateRequest<U>,
        _credentials: &BmcCredentials,
        _custom_headers: &HeaderMap,
    ) -> Result<ModificationResponse<T>, HttpError>
    where
        U: UploadReader,
        T: DeserializeOwned + Send + Sync,
    {
        Err(HttpError::NotOffered("a firmware upload"))
    }

    fn sse<T: Sized + for<'de> Deserialize<'de> + Send>(
        &self,
        _url: Url,
        _credentials: &BmcCredentials,
        _custom_headers: &HeaderMap,
    ) -> impl Future<Output = Result<BoxTryStream<T, HttpError>, HttpError>> + Send {
        std::future::ready(Err(HttpError::NotOffered("an event stream")))
    }
}
