//! Objects in Amazon S3, or in whatever speaks its protocol.
//!
//! Set up by the environment variables that all AWS tools know: `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
//! `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, and `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` for another server.
//! They are read at the first call, so that a lake without objects needs none of them. `TIDEMARK_BUCKET_TIMEOUT_SECS` says
//! how long to wait for an answer where 30 s do not do.

use std::{
    fmt,
    fs::File,
    future::Future,
    io::Read,
    ops::Range,
    path::Path,
    sync::{OnceLock, mpsc},
    time::Duration,
};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use aws_smithy_http_client::tls;
use bytes::Bytes;
use lake::{Error, ErrorKind, ObjectContents, ObjectFound, ObjectStore, Result};
use tokio::runtime::Runtime;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Until the first byte of an answer, unless the environment says otherwise.
const ANSWER_WITHIN_SECS: u64 = 30;
const ANSWER_WITHIN_SECS_MAX: u64 = 3_600;
const ANSWER_WITHIN: &str = "TIDEMARK_BUCKET_TIMEOUT_SECS";
const ATTEMPTS_MAX: u32 = 4;
/// What is larger goes in parts of this size, or larger ones where they would be too many.
const PART_BYTES: u64 = 16 << 20;
const PARTS_MAX: u64 = 9_000;
/// Servers of one's own do not care, but requests are signed for some region.
const REGION_OF_OTHERS: &str = "us-east-1";

/// Objects in S3.
#[derive(Default)]
pub struct S3Objects {
    connection: OnceLock<Connection>,
}

/// The client, and the threads its calls are carried out on.
struct Connection {
    client: Client,
    runtime: Option<Runtime>,
}

/// A location taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    bucket: String,
    key: String,
}

impl fmt::Debug for S3Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Objects")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It may be dropped within another runtime, where waiting is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl ObjectStore for S3Objects {
    fn put(&self, location: &str, contents: ObjectContents, new: bool) -> Result<()> {
        let place = Place::of(location)?;
        self.carry_out(move |client| async move {
            match contents {
                ObjectContents::Bytes(bytes) => put_whole(&client, &place, bytes, new).await,
                ObjectContents::File(path) => put_file(&client, &place, &path, new).await,
            }
        })
    }

    fn get(&self, location: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Some(Bytes::new()));
        }
        let place = Place::of(location)?;
        self.carry_out(move |client| async move { get(&client, &place, range).await })
    }

    fn find(&self, location: &str) -> Result<Option<ObjectFound>> {
        let place = Place::of(location)?;
        self.carry_out(move |client| async move { find(&client, &place).await })
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectFound>> {
        let place = Place::of(prefix)?;
        self.carry_out(move |client| async move { list(&client, &place).await })
    }

    fn delete(&self, location: &str) -> Result<()> {
        let place = Place::of(location)?;
        self.carry_out(move |client| async move {
            let request = client.delete_object().bucket(&place.bucket).key(&place.key);
            request.send().await.map(|_| ()).map_err(|e| failed("removed from", &place, &e))
        })
    }
}

impl S3Objects {
    /// Carries a call out on threads of its own, so that any thread may wait for it.
    fn carry_out<T, F>(&self, call: impl FnOnce(Client) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let connection = self.connection()?;
        let (sender, receiver) = mpsc::sync_channel(1);
        let call = call(connection.client.clone());
        let did_not_end = || Error::new(ErrorKind::Internal, "a call of the object store did not come to its end");
        let runtime = connection.runtime.as_ref().ok_or_else(did_not_end)?;
        runtime.spawn(async move {
            // Nobody listens any more only where the asking thread is gone.
            let _ = sender.send(call.await);
        });
        receiver.recv().map_err(|_| did_not_end())?
    }

    fn connection(&self) -> Result<&Connection> {
        if let Some(connection) = self.connection.get() {
            return Ok(connection);
        }
        let connection = Connection::from_environment(|name| std::env::var(name).ok())?;
        Ok(self.connection.get_or_init(|| connection))
    }
}

impl Connection {
    fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Connection> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let needed = |name: &str| {
            set(name).ok_or_else(|| {
                let message = format!(
                    "{name} is not set, which is needed to reach a bucket; set it where Tidemark is started, with \
                     AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                );
                Error::new(ErrorKind::Unreachable, message)
            })
        };
        let credentials = Credentials::new(
            needed("AWS_ACCESS_KEY_ID")?,
            needed("AWS_SECRET_ACCESS_KEY")?,
            set("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        let endpoint = set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL"));
        let region = match set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")) {
            Some(region) => region,
            None if endpoint.is_some() => REGION_OF_OTHERS.to_owned(),
            None => needed("AWS_REGION")?,
        };
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let answer_within = answer_within(set(ANSWER_WITHIN).as_deref())?;
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_WITHIN).read_timeout(answer_within).build();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .credentials_provider(credentials)
            .http_client(http)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX));
        let config = match endpoint {
            // Another server has one name for all its buckets.
            Some(endpoint) => config.endpoint_url(endpoint).force_path_style(true),
            None => config,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("objects")
            .enable_all()
            .build()
            .map_err(|e| Error::new(ErrorKind::Io, "no thread could be started for object stores").because(e))?;
        Ok(Connection { client: Client::from_conf(config.build()), runtime: Some(runtime) })
    }
}

fn answer_within(seconds: Option<&str>) -> Result<Duration> {
    let Some(text) = seconds else { return Ok(Duration::from_secs(ANSWER_WITHIN_SECS)) };
    match text.parse::<u64>() {
        Ok(seconds @ 1..=ANSWER_WITHIN_SECS_MAX) => Ok(Duration::from_secs(seconds)),
        _ => {
            let message = format!("{ANSWER_WITHIN} = {text} cannot be; it is seconds, 1 to {ANSWER_WITHIN_SECS_MAX}");
            Err(Error::new(ErrorKind::Unreachable, message))
        }
    }
}

impl Place {
    fn of(location: &str) -> Result<Place> {
        let parts = location.strip_prefix("s3://").and_then(|rest| rest.split_once('/').or(Some((rest, ""))));
        match parts {
            Some((bucket, key)) if !bucket.is_empty() => Ok(Place { bucket: bucket.to_owned(), key: key.to_owned() }),
            _ => Err(Error::new(ErrorKind::Internal, "this is no location of an object").with("location", location)),
        }
    }

    fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

async fn put_whole(client: &Client, place: &Place, bytes: Bytes, new: bool) -> Result<()> {
    let request = client.put_object().bucket(&place.bucket).key(&place.key).body(ByteStream::from(bytes));
    let request = if new { request.if_none_match("*") } else { request };
    request.send().await.map(|_| ()).map_err(|e| failed("written to", place, &e))
}

async fn put_file(client: &Client, place: &Place, path: &Path, new: bool) -> Result<()> {
    let unreadable = |e| Error::new(ErrorKind::Io, "cannot read a file").with("path", path.display()).because(e);
    let mut file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes <= PART_BYTES {
        let mut whole = Vec::new();
        file.read_to_end(&mut whole).map_err(unreadable)?;
        return put_whole(client, place, Bytes::from(whole), new).await;
    }
    let begun = client.create_multipart_upload().bucket(&place.bucket).key(&place.key).send().await;
    let begun = begun.map_err(|e| failed("written to", place, &e))?;
    let upload = begun.upload_id().unwrap_or_default();
    let sent = match put_parts(client, place, upload, file, part_bytes(bytes), path).await {
        Ok(parts) => end_upload(client, place, upload, parts, new).await,
        Err(error) => Err(error),
    };
    if sent.is_err() {
        // Parts cost until they are given up. Should that fail, a rule of the bucket has to.
        let _ = client.abort_multipart_upload().bucket(&place.bucket).key(&place.key).upload_id(upload).send().await;
    }
    sent
}

fn part_bytes(bytes: u64) -> u64 {
    PART_BYTES.max(bytes.div_ceil(PARTS_MAX))
}

async fn put_parts(
    client: &Client,
    place: &Place,
    upload: &str,
    mut file: File,
    part_bytes: u64,
    path: &Path,
) -> Result<Vec<CompletedPart>> {
    let mut parts = Vec::new();
    for number in 1.. {
        let mut part = Vec::new();
        (&mut file)
            .take(part_bytes)
            .read_to_end(&mut part)
            .map_err(|e| Error::new(ErrorKind::Io, "cannot read a file").with("path", path.display()).because(e))?;
        if part.is_empty() {
            break;
        }
        let request = client.upload_part().bucket(&place.bucket).key(&place.key).upload_id(upload).part_number(number);
        let sent = request.body(ByteStream::from(part)).send().await.map_err(|e| failed("written to", place, &e))?;
        let done = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .set_checksum_crc64_nvme(sent.checksum_crc64_nvme);
        parts.push(done.build());
    }
    Ok(parts)
}

async fn end_upload(client: &Client, place: &Place, upload: &str, parts: Vec<CompletedPart>, new: bool) -> Result<()> {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let request = client.complete_multipart_upload().bucket(&place.bucket).key(&place.key).upload_id(upload);
    let request = if new { request.if_none_match("*") } else { request };
    request.multipart_upload(parts).send().await.map(|_| ()).map_err(|e| failed("written to", place, &e))
}

async fn get(client: &Client, place: &Place, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
    let request = client.get_object().bucket(&place.bucket).key(&place.key);
    let wanted = range.as_ref().map(|range| range.end - range.start);
    let request = match range {
        Some(range) => request.range(format!("bytes={}-{}", range.start, range.end - 1)),
        None => request,
    };
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(e) if status_of(&e) == Some(404) && e.code() != Some("NoSuchBucket") => return Ok(None),
        Err(e) => return Err(failed("read from", place, &e)),
    };
    let body = answer.body.collect().await.map_err(|e| {
        let message = format!("reading {} was cut off; try again", place.location());
        Error::new(ErrorKind::Unreachable, message).because(e)
    })?;
    let bytes = body.into_bytes();
    if wanted.is_some_and(|wanted| wanted != bytes.len() as u64) {
        return Err(
            Error::new(ErrorKind::Corrupt, "an object is shorter than it should be").with("location", place.location())
        );
    }
    Ok(Some(bytes))
}

async fn find(client: &Client, place: &Place) -> Result<Option<ObjectFound>> {
    match client.head_object().bucket(&place.bucket).key(&place.key).send().await {
        Ok(found) => Ok(Some(ObjectFound {
            location: place.location(),
            bytes: found.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
            written_secs: found.last_modified().map_or(0, |time| time.secs()),
        })),
        Err(e) if status_of(&e) == Some(404) => Ok(None),
        Err(e) => Err(failed("read from", place, &e)),
    }
}

async fn list(client: &Client, place: &Place) -> Result<Vec<ObjectFound>> {
    let mut found = Vec::new();
    let mut pages = client.list_objects_v2().bucket(&place.bucket).prefix(&place.key).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("listed in", place, &e))?;
        found.extend(page.contents().iter().filter_map(|object| {
            let key = object.key()?.to_owned();
            Some(ObjectFound {
                location: Place { bucket: place.bucket.clone(), key }.location(),
                bytes: object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
                written_secs: object.last_modified().map_or(0, |time| time.secs()),
            })
        }));
    }
    Ok(found)
}

fn status_of<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// What went wrong, and what to do. Says nothing of the request, whose headers are signed.
fn failed<E: ProvideErrorMetadata>(what: &str, place: &Place, error: &SdkError<E>) -> Error {
    let said = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => match error {
            SdkError::TimeoutError(_) => "no answer in time".to_owned(),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => "no answer in time".to_owned(),
            SdkError::DispatchFailure(_) => "no connection".to_owned(),
            _ => status_of(error).map_or_else(|| "no answer".to_owned(), |status| format!("status {status}")),
        },
    };
    let (kind, advice) = match status_of(error) {
        Some(409 | 412) => (ErrorKind::Conflict, "there is an object of that name, or one is being written"),
        Some(401 | 403) => (ErrorKind::Unreachable, "check the credentials and what they may do in the bucket"),
        Some(404) => (ErrorKind::Unreachable, "make the bucket, or check its name, AWS_REGION and AWS_ENDPOINT_URL"),
        _ => (ErrorKind::Unreachable, "check the network, AWS_REGION and AWS_ENDPOINT_URL, then try again"),
    };
    let message = format!("nothing could be {what} the bucket {} ({said}); {advice}", place.bucket);
    Error::new(kind, message).with("location", place.location())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_bucket_and_a_key() {
        let place = Place::of("s3://bucket/a/b c").unwrap();
        assert_eq!((place.bucket.as_str(), place.key.as_str()), ("bucket", "a/b c"));
        assert_eq!(place.location(), "s3://bucket/a/b c");
        assert_eq!(Place::of("s3://bucket").unwrap().key, "");
        for wrong in ["s3://", "s3:///key", "file:///x", "bucket/key"] {
            assert!(Place::of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn large_files_go_in_parts_that_are_not_too_many() {
        assert_eq!(part_bytes(17 << 20), PART_BYTES);
        let terabyte = 1_u64 << 40;
        assert!(terabyte.div_ceil(part_bytes(terabyte)) <= PARTS_MAX);
    }

    #[test]
    fn how_long_to_wait_is_seconds() {
        assert_eq!(answer_within(None).unwrap(), Duration::from_secs(ANSWER_WITHIN_SECS));
        assert_eq!(answer_within(Some("5")).unwrap(), Duration::from_secs(5));
        for wrong in ["0", "-1", "soon", "3601"] {
            assert!(answer_within(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_set_is_named() {
        let error = |set: &[&str]| {
            let variable = |name: &str| set.contains(&name).then(|| "x".to_owned());
            Connection::from_environment(variable).err().map(|e| (e.kind(), e.message().to_owned()))
        };
        for (set, missing) in [
            (&[][..], "AWS_ACCESS_KEY_ID"),
            (&["AWS_ACCESS_KEY_ID"][..], "AWS_SECRET_ACCESS_KEY"),
            (&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"][..], "AWS_REGION"),
        ] {
            let (kind, message) = error(set).unwrap();
            assert_eq!(kind, ErrorKind::Unreachable);
            assert!(message.starts_with(missing), "{message}");
        }
        assert!(error(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"]).is_none());
    }
}
