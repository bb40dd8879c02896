//! One listener for each side: HTTP/1.1 and HTTP/2 on the same port, TLS if a certificate is given.

use crate::{
    config::TlsFiles,
    fault::{self, Faults},
    stats::Stats,
};
use axum::{
    Json, Router, body::Body, extract::Request, middleware, response::IntoResponse, response::Response,
    routing::get,
};
use http::{HeaderName, HeaderValue, header};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{convert::Infallible, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Service, ServiceExt};

/// How long an open connection may finish its call once the sandbox stops.
const DRAIN: Duration = Duration::from_secs(2);

/// Tells a side whether it was reached by `http` or `https`, for links in its answers. A front that takes TLS off
/// sets it too, and is believed.
pub const SCHEME: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Marks a response that must never arrive: the connection is dropped instead.
#[derive(Debug, Clone, Copy)]
pub struct Abort;

impl Abort {
    /// A response that drops its connection.
    pub fn response() -> Response {
        let mut response = ().into_response();
        response.extensions_mut().insert(Abort);
        response
    }
}

/// Why a side could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The wanted address.
        address: SocketAddr,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A certificate or key file cannot be read as PEM.
    #[error("cannot read {path} as PEM")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate and the key do not make a TLS server.
    #[error("the certificate and the key do not fit")]
    Tls(#[from] rustls::Error),
}

/// A side's paths with what the frame adds to both: faults and counters.
pub fn dress(side: Router, faults: Arc<Faults>, stats: Arc<Stats>) -> Router {
    let counters = Router::new().route(
        "/__sandbox/stats",
        get(async move || Json(serde_json::json!(stats.counts()))),
    );
    side.merge(counters)
        .merge(fault::routes(faults.clone()))
        .layer(middleware::from_fn_with_state(faults, fault::lay_over))
}

/// Reads a certificate and its key.
pub fn tls_acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServeError> {
    let pem = |path: &PathBuf| {
        let path = path.clone();
        move |source| ServeError::Pem { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
        .map_err(pem(&files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A listener that is bound but not yet answering, so that its address can be told first.
pub struct Listener {
    socket: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Binds.
    pub async fn bind(address: SocketAddr, tls: Option<TlsAcceptor>) -> Result<Listener, ServeError> {
        let socket = TcpListener::bind(address)
            .await
            .map_err(|source| ServeError::Listen { address, source })?;
        let address = socket
            .local_addr()
            .map_err(|source| ServeError::Listen { address, source })?;
        Ok(Listener { socket, address, tls })
    }

    /// The base URL of whatever is served here.
    pub fn url(&self) -> String {
        format!(
            "http{}://{}",
            if self.tls.is_some() { "s" } else { "" },
            self.address
        )
    }

    /// Answers until `stop`, then lets open calls finish for a short while.
    pub fn serve(self, router: Router, stop: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(async move {
            let connections = TaskTracker::new();
            while let Some(accepted) = stop.run_until_cancelled(self.socket.accept()).await {
                let Ok((stream, _)) = accepted else {
                    // Out of file descriptors, most likely: let some close.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                let (router, tls, stop) = (router.clone(), self.tls.clone(), stop.clone());
                connections.spawn(async move {
                    let outcome = match tls {
                        Some(tls) => encrypted(stream, tls, router, stop).await,
                        None => connection(stream, router, stop).await,
                    };
                    if let Err(error) = outcome {
                        tracing::debug!(error, "connection ended");
                    }
                });
            }
            connections.close();
            let _ = tokio::time::timeout(DRAIN, connections.wait()).await;
        })
    }
}

type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

async fn encrypted(
    stream: TcpStream,
    tls: TlsAcceptor,
    router: Router,
    stop: CancellationToken,
) -> Result<(), ConnectionError> {
    stream.set_nodelay(true)?;
    serve_stream(tls.accept(stream).await?, "https", router, stop).await
}

async fn connection(
    stream: TcpStream,
    router: Router,
    stop: CancellationToken,
) -> Result<(), ConnectionError> {
    stream.set_nodelay(true)?;
    serve_stream(stream, "http", router, stop).await
}

async fn serve_stream<S>(
    stream: S,
    scheme: &'static str,
    router: Router,
    stop: CancellationToken,
) -> Result<(), ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        name_origin(&mut request, scheme);
        answer(router.clone(), request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(512 * 1024);
    builder
        .http2()
        .max_header_list_size(256 * 1024)
        .max_concurrent_streams(1000);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

/// Puts where a request went into its headers: HTTP/2 has it elsewhere, and a path knows no scheme.
fn name_origin(request: &mut Request, scheme: &'static str) {
    let authority = request.uri().authority().map(ToString::to_string);
    let headers = request.headers_mut();
    if let Some(host) = authority.and_then(|host| HeaderValue::try_from(host).ok()) {
        headers.entry(header::HOST).or_insert(host);
    }
    headers.entry(SCHEME).or_insert(HeaderValue::from_static(scheme));
}

/// An error here is the way to drop a connection without a word.
async fn answer(router: Router, request: Request) -> Result<Response, io::Error> {
    let mut router = router.into_service::<Body>();
    let ready: Result<_, Infallible> = router.ready().await;
    let response = match ready {
        Ok(service) => service.call(request).await,
        Err(never) => match never {},
    };
    match response {
        Ok(response) if response.extensions().get::<Abort>().is_some() => {
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        }
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}
